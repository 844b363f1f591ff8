"""Which readings are the worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.ocr.metrics.edits import edit_distances


class Read(Protocol):
    """A text and how sure it is."""

    @property
    def text(self) -> str:
        """What was read."""

    @property
    def confidence(self) -> float:
        """Of the whole text."""


def worst_first(truths: Sequence[str], found: Sequence[Read]) -> list[int]:
    """Order the wrong readings: most edits a true character first, then the surest.

    Returns:
        Their places; right ones are left out.
    """
    edits = edit_distances(truths, [one.text for one in found]).tolist()
    wrong = [place for place, count in enumerate(edits) if count]
    return sorted(
        wrong,
        key=lambda place: (
            -edits[place] / max(1, len(truths[place])),
            -found[place].confidence,
            place,
        ),
    )
