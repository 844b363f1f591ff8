"""How readings are shown and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.families import Region
from models.ocr.drawing import RIGHT, UNSURE, WRONG, captioned
from models.ocr.readings import Reading
from models.package import ModelCard
from models.reporting import Image

LABEL = "text"


class ReadingPresenter:
    """Writes texts below their pictures, and as rows."""

    columns: Sequence[str] = ("text", "score", "accepted", "check", "characters")

    def __init__(self, card: ModelCard) -> None:
        """Take a model's description."""
        self.classes: Sequence[str] = (LABEL,)
        self.categories: Sequence[dict[str, Any]] = [{"id": 1, "name": LABEL}]

    def draw(self, image: Image, result: Reading) -> Image:
        """Put the text below the picture: green if accepted, orange if not, red if empty."""
        colour = RIGHT if result.accepted else UNSURE if result.text else WRONG
        check = f"  {result.check}" if result.check else ""
        text = result.text or "(nothing)"
        return captioned(image, f"{text}  {result.confidence:.2f}{check}", colour)

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
        """Write the whole picture as one box, if a text was accepted."""
        if not result.accepted:
            return []
        line = "0 0.500000 0.500000 1.000000 1.000000"
        return [f"{line} {result.confidence:.5f}" if scores else line]

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
