"""OCR data: read crops and their texts, check, divide, write. No torch here."""
