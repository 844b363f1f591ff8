"""How named classes are shown and written."""

from __future__ import annotations

import colorsys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from models.classification.captions import captioned
from models.classification.naming import Classification
from models.classification.postprocessing import steps_of
from models.classification.standalone import UNKNOWN
from models.families import Region
from models.images import Image
from models.package import ModelCard


class ClassificationPresenter:
    """Writes names onto pictures and makes rows of them."""

    columns: Sequence[str] = ("class", "score", "known")
    writes: Collection[str] = ()

    def __init__(self, card: ModelCard) -> None:
        """Take the names from a model's description."""
        self.classes: Sequence[str] = card.class_names
        self.categories: Sequence[dict[str, Any]] = [
            {"id": number, "name": name} for number, name in enumerate(self.classes, start=1)
        ]
        self._several = steps_of(card).kind == "sigmoid"

    def draw(self, image: Image, result: Classification) -> Image:
        """Write the names with their scores into the corner, on a ground that fits the class."""
        shown = [(r["class"], r["score"], r["known"]) for r in self.rows(result)]
        texts = [f"{name if known else f'? {name}'} {score:.2f}" for name, score, known in shown]
        texts = texts or [UNKNOWN]
        grounds = [self.colour(name) if known else (90, 90, 90) for name, _, known in shown]
        return captioned(image, texts, grounds)

    def tally(self, result: Classification) -> Mapping[str, int]:
        """Count each class that is named."""
        return {self.classes[index]: 1 for index in result.named.tolist()}

    def colour(self, name: str) -> tuple[int, int, int]:
        """Give a dark colour of the class's own."""
        place = self.classes.index(name) if name in self.classes else 0
        red, green, blue = colorsys.hsv_to_rgb((place * 0.618034) % 1, 0.75, 0.6)
        return int(red * 255), int(green * 255), int(blue * 255)

    def regions(self, result: Classification) -> Sequence[Region]:
        """Name no part: the result is about the whole picture."""
        return []

    def rows(self, result: Classification) -> Sequence[dict[str, Any]]:
        """Make a row of each class named; where none is, one of the surest, with `known` false."""
        named = result.named.tolist()
        if not named and not self._several:
            named = [int(result.scores.argmax())]
        known = bool(len(result.named))
        return [
            {
                "class": self.classes[index],
                "score": round(float(result.scores[index]), 5),
                "known": known,
            }
            for index in named
        ]

    def yolo(self, result: Classification, height: int, width: int, scores: bool) -> Sequence[str]:
        """Make no line: there are no boxes."""
        return []

    def coco(self, result: Classification) -> Sequence[dict[str, Any]]:
        """Make no annotation: there are no boxes."""
        return []
