"""Checksums of the symbologies whose digits carry one, and what follows from a wrong one.

GS1 General Specifications, section 7.9: from the right, the digits before the check digit weigh 3,
1, 3, ... and the sum with the check digit is a multiple of 10. EAN-13, EAN-8, UPC-A and ITF-14 have
it. (The line under a Code 128 doesn't show its checksum.) Needs the standard library alone.
"""

from __future__ import annotations

from typing import Literal

Symbology = Literal["none", "ean13", "ean8", "upca", "itf14", "gtin"]
"""What a text must be; `gtin` is any of the four, by its length."""

LENGTHS: dict[str, tuple[int, ...]] = {
    "ean13": (13,),
    "ean8": (8,),
    "upca": (12,),
    "itf14": (14,),
    "gtin": (8, 12, 13, 14),
}
"""Digits by symbology."""
_DIGITS = "0123456789"


def is_valid(text: str, symbology: str) -> bool:
    """Say whether a text has a length of the symbology and the right check digit."""
    if len(text) not in LENGTHS[symbology] or any(letter not in _DIGITS for letter in text):
        return False
    return _sum(text) % 10 == 0


def substitutions(text: str, symbology: str) -> list[str]:
    """List the texts that differ in one digit and have the right check digit, one a place.

    For a text of another length, or with something else than digits in more than one place, there
    are none.
    """
    if len(text) not in LENGTHS[symbology]:
        return []
    strange = [place for place, letter in enumerate(text) if letter not in _DIGITS]
    if len(strange) > 1:
        return []
    found = []
    for place in strange or range(len(text)):
        for digit in _DIGITS:
            other = text[:place] + digit + text[place + 1 :]
            if other != text and _sum(other) % 10 == 0:
                found.append(other)
    return found


def _sum(text: str) -> int:
    return sum(
        int(digit) * (1 if place % 2 == 0 else 3) for place, digit in enumerate(reversed(text))
    )
