"""Pictures of lines with what they say, and what a text may be."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from models.data.raw import CheckedPicture, RawPictures, Splits
from models.ocr.sequence import steps_needed
from models.synthetic.symbologies import Symbology


@dataclass(slots=True)
class TextPicture:
    """A picture of one line that a dataset lists, with its text as it was written down."""

    file: Path
    name: str
    """How reports call it: its path inside the dataset."""
    text: str
    symbology: str | None = None
    """Of the barcode that the line belongs to, where that is known."""


Raw = RawPictures[TextPicture]
Checked = CheckedPicture[TextPicture]
CheckedSplits = Splits[TextPicture]

_CUT_SHORT = re.compile(r"\d([.,]\d+)?[eE]\+\d+")
_KINDS = {"upc": "upca", "upce": None, "gtin13": "ean13", "gtin8": "ean8", "c128": "code128"}
_KNOWN = frozenset(get_args(Symbology))


def tidy(text: str) -> str:
    """Give a text the one form in which texts are compared: NFC, no blanks around it.

    Composed and decomposed letters look alike (Unicode Standard Annex 15); a vocabulary must not
    hold both.
    """
    return unicodedata.normalize("NFC", text).strip()


def wrong_with(text: str, vocabulary: str = "", max_length: int = 0) -> str | None:
    """Say why a tidy text can't be learned from; None if it can.

    Args:
        text: the text.
        vocabulary: the characters it may have; empty for all.
        max_length: most steps of an output sequence that it may take (CTC's blanks between equal
            neighbours counted); 0 for any.
    """
    if not text:
        return "its text is empty"
    for character in text:
        if (
            unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn")
            or character in "\u2028\u2029"
        ):
            return f"its text holds a character that no one can read (U+{ord(character):04X})"
    if _CUT_SHORT.fullmatch(text):
        return f"its text, {text}, looks like a number that a spreadsheet has cut short"
    if vocabulary and (odd := sorted(set(text) - set(vocabulary))):
        told = ", ".join(f"'{one}'" for one in odd[:5])
        return f"its text '{text}' has {told}, which the vocabulary lacks"
    if max_length and (steps := steps_needed(text)) > max_length:
        return f"its text '{text}' takes {steps} steps of the output, max_length is {max_length}"
    return None


def symbology_named(name: object) -> str | None:
    """Understand a symbology however it is spelled: EAN-13, ean_13, GTIN13; None for others."""
    plain = re.sub(r"[^a-z0-9]", "", str(name).lower())
    plain = _KINDS.get(plain, plain) or ""
    return plain if plain in _KNOWN else None
