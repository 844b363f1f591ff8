"""OCR: read the text of a cropped line, such as the digits under a barcode."""
