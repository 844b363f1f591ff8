"""What a network reads in one picture. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ocr.decoding.decoder import Check, Line
from models.placement import Placement


@dataclass(frozen=True, eq=False)
class Reading:
    """The text of one picture."""

    text: str
    """In logical order; empty where nothing was read."""
    confidence: float
    """Of the whole text, between 0 and 1."""
    characters: NDArray[np.float32]
    """Confidence of each character of `text`."""
    height: int
    """Of the picture, pixels."""
    width: int
    accepted: bool = True
    """Whether it is as sure as the threshold asks, and its checksum isn't in doubt."""
    check: Check = ""
    """What the checksum says."""


def readings(
    lines: Sequence[Line], placements: Sequence[Placement], threshold: float
) -> list[Reading]:
    """Join decoded lines with their pictures.

    Args:
        lines: one for each picture.
        placements: where the pictures lie in the input.
        threshold: confidence from which a reading is accepted.
    """
    return [
        Reading(
            text=line.text,
            confidence=line.confidence,
            characters=line.characters,
            height=place.height,
            width=place.width,
            accepted=bool(line.text) and line.confidence >= threshold and line.check != "unsure",
            check=line.check,
        )
        for line, place in zip(lines, placements, strict=True)
    ]
