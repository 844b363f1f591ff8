"""Synthetic detection data that teaches something real. No torch here."""
