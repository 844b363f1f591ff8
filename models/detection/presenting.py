"""How detections are shown and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from models.detection.detections import Detections
from models.drawing import class_colour, draw_boxes
from models.families import Region
from models.package import ModelCard
from models.reporting import Image


class DetectionPresenter:
    """Draws boxes and writes them as rows, YOLO lines and COCO annotations."""

    columns: Sequence[str] = ("class", "score", "left", "top", "right", "bottom")
    writes: Collection[str] = ("crops", "yolo", "coco")

    def __init__(self, card: ModelCard) -> None:
        """Take names and category ids from a model's description."""
        self.classes: Sequence[str] = card.class_names
        given = [entry.id for entry in card.classes if entry.id is not None]
        # Ids of the dataset, if all classes have one; else those that COCO tools would give.
        whole = len(given) == len(card.classes)
        self._ids = given if whole else list(range(1, len(card.classes) + 1))
        self.categories: Sequence[dict[str, Any]] = [
            {"id": number, "name": name}
            for number, name in zip(self._ids, self.classes, strict=True)
        ]

    def draw(self, image: Image, result: Detections) -> Image:
        """Draw boxes with class name and confidence, the surest on top."""
        classes, scores = result.classes[::-1].tolist(), result.scores[::-1].tolist()
        captions = [
            f"{self.classes[index]} {score:.2f}"
            for index, score in zip(classes, scores, strict=True)
        ]
        colours = [class_colour(index) for index in classes]
        return draw_boxes(image, result.boxes[::-1], captions, colours)

    def tally(self, result: Detections) -> Mapping[str, int]:
        """Count the objects of each class, in the classes' order."""
        totals = np.bincount(result.classes, minlength=len(self.classes)).tolist()
        return {name: count for name, count in zip(self.classes, totals, strict=True) if count}

    def colour(self, name: str) -> tuple[int, int, int]:
        """Give the colour of a class."""
        return class_colour(self.classes.index(name))

    def regions(self, result: Detections) -> Sequence[Region]:
        """Name each box, the surest first."""
        return [
            Region(self.classes[index], (left, top, right, bottom), score)
            for (left, top, right, bottom), score, index in _plain(result)
        ]

    def rows(self, result: Detections) -> Sequence[dict[str, Any]]:
        """Make a row of each box: pixels to a hundredth."""
        return [
            {
                "class": self.classes[index],
                "score": round(score, 5),
                "left": round(left, 2),
                "top": round(top, 2),
                "right": round(right, 2),
                "bottom": round(bottom, 2),
            }
            for (left, top, right, bottom), score, index in _plain(result)
        ]

    def yolo(self, result: Detections, height: int, width: int, scores: bool) -> Sequence[str]:
        """Write class index, centre x, centre y, width and height as shares of the picture."""
        lines = []
        for (left, top, right, bottom), score, index in _plain(result):
            x, y = (left + right) / 2 / width, (top + bottom) / 2 / height
            line = f"{index} {x:.6f} {y:.6f} {(right - left) / width:.6f}"
            line += f" {(bottom - top) / height:.6f}"
            lines.append(f"{line} {score:.5f}" if scores else line)
        return lines

    def coco(self, result: Detections) -> Sequence[dict[str, Any]]:
        """Make annotations: `bbox` is left, top, width, height in pixels."""
        return [
            {
                "category_id": self._ids[index],
                "bbox": [round(v, 2) for v in (left, top, right - left, bottom - top)],
                "area": round((right - left) * (bottom - top), 2),
                "iscrowd": 0,
                "score": round(score, 5),
            }
            for (left, top, right, bottom), score, index in _plain(result)
        ]


def _plain(result: Detections) -> list[tuple[list[float], float, int]]:
    """Take detections apart into Python's numbers."""
    return list(
        zip(result.boxes.tolist(), result.scores.tolist(), result.classes.tolist(), strict=True)
    )
