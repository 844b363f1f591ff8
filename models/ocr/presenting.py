"""How readings are shown and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from models.families import Region
from models.ocr.captions import RIGHT, read_below
from models.ocr.readings import Reading
from models.package import ModelCard
from models.reporting import Image

LABEL = "text"


class ReadingPresenter:
    """Writes texts below their pictures, and as rows."""

    columns: Sequence[str] = ("text", "score", "accepted", "check", "characters")
    writes: Collection[str] = ("coco",)

    def __init__(self, card: ModelCard) -> None:
        """Take a model's description."""
        self.classes: Sequence[str] = (LABEL,)
        self.categories: Sequence[dict[str, Any]] = [{"id": 1, "name": LABEL}]

    def draw(self, image: Image, result: Reading) -> Image:
        """Put the text below the picture: green if accepted, orange if not, red if empty."""
        return read_below(image, result)

    def tally(self, result: Reading) -> Mapping[str, int]:
        """Count the text, if one was accepted; all texts together, since there may be millions."""
        return {LABEL: 1} if result.accepted else {}

    def colour(self, name: str) -> tuple[int, int, int]:
        """Give the colour of accepted texts."""
        return RIGHT

    def caption(self, result: Reading) -> str:
        """Say what was read; with a question mark if it isn't accepted."""
        return result.text if result.accepted else f"{result.text}?"

    def regions(self, result: Reading) -> Sequence[Region]:
        """Name the whole picture, if a text was accepted."""
        if not result.accepted:
            return []
        box = (0.0, 0.0, float(result.width), float(result.height))
        return [Region(LABEL, box, result.confidence)]

    def rows(self, result: Reading) -> Sequence[dict[str, Any]]:
        """Make one row for the picture, accepted or not."""
        return [
            {
                "text": result.text,
                "score": round(result.confidence, 5),
                "accepted": result.accepted,
                "check": result.check,
                "characters": [round(float(score), 4) for score in result.characters],
            }
        ]

    def yolo(self, result: Reading, height: int, width: int, scores: bool) -> Sequence[str]:
        """Make no line: a text isn't a box."""
        return []

    def coco(self, result: Reading) -> Sequence[dict[str, Any]]:
        """Make an annotation of the whole picture with its text, if one was accepted."""
        if not result.accepted:
            return []
        return [
            {
                "category_id": 1,
                "bbox": [0, 0, result.width, result.height],
                "area": result.width * result.height,
                "iscrowd": 0,
                "score": round(result.confidence, 5),
                "text": result.text,
            }
        ]
