"""Synthetic lines of text as they stand under barcodes. No torch here."""
