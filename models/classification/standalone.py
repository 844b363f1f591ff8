"""The classifier that is shipped to predict without this project installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from models.classification.naming import Classification, confidences, name_classes
from models.deployment.standalone.description import Description, one_of
from models.deployment.standalone.model import StandaloneModel, Tensors
from models.images import Image
from models.placement import Placement

UNKNOWN = "don't know"


class Classifier(StandaloneModel[Classification]):
    """A classifier ready to predict. Not to be called from two threads at once."""

    family: ClassVar[str] = "classification"
    about: ClassVar[str] = "Say which class pictures belong to."
    columns: ClassVar[Sequence[str]] = ("class", "score", "known")

    def prepare(self, about: Description) -> None:
        """Find how logits become confidences."""
        steps = about.postprocessing
        self._kind = one_of(steps["kind"], ("softmax", "sigmoid"))
        self._temperature = float(steps["temperature"])

    def results(
        self, outputs: Tensors, placements: Sequence[Placement], threshold: float | None
    ) -> list[Classification]:
        """For each picture the confidence of every class, and the classes it names."""
        limits = np.array(self.thresholds, np.float32) if threshold is None else threshold
        scores = confidences(outputs[0], self._kind, self._temperature)
        return name_classes(scores, limits, self._kind)

    def rows(self, result: Classification) -> list[dict[str, Any]]:
        """Make a row of each class named; where none is, one of the surest, with `known` false."""
        named = result.named.tolist()
        known = bool(named)
        if not named and self._kind == "softmax":
            named = [int(result.scores.argmax())]
        return [
            {
                "class": self.classes[index],
                "score": round(float(result.scores[index]), 6),
                "known": known,
            }
            for index in named
        ]

    def tally(self, result: Classification) -> Mapping[str, int]:
        """Count each class that is named."""
        return {self.classes[index]: 1 for index in result.named.tolist()}

    def draw(self, image: Image, result: Classification) -> Image:
        """Write the names with their scores into the corner."""
        from models.classification.captions import captioned

        lines = [
            f"{'' if row['known'] else '? '}{row['class']} {row['score']:.2f}"
            for row in self.rows(result)
        ]
        return captioned(image, lines or [UNKNOWN])
