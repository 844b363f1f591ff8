"""Fonts that lines are set in, in families that belong to one split each; glyphs as pictures.

A reader that learned the shapes of its fonts by heart shows it on val and test, whose families
training never sees. All fonts are free (SIL Open Font License, Apache-2.0). OCR-B, which barcodes
were standardised with, lies in this folder; the others come from packages (the extra `fonts`).
"""

from models.synthetic.fonts.faces import Face, Glyph, faces
from models.synthetic.fonts.families import FAMILIES, Family, font_files

__all__ = ["FAMILIES", "Face", "Family", "Glyph", "faces", "font_files"]
