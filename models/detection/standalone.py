"""The detector that is shipped to predict without this project installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from models.deployment.standalone.description import Description, one_of
from models.deployment.standalone.model import StandaloneModel, Tensors
from models.detection.detections import Detections
from models.detection.postprocessing.candidates import dense_candidates, place, query_candidates
from models.images import Image
from models.placement import Placement

_CANDIDATES: dict[str, tuple[Callable[..., list[Detections]], tuple[str, ...]]] = {
    "detr": (query_candidates, ("max_detections",)),
    "dense": (
        dense_candidates,
        ("least_score", "candidates_before_nms", "nms_iou", "max_detections"),
    ),
}


class Detector(StandaloneModel[Detections]):
    """A detector ready to predict. Not to be called from two threads at once."""

    family: ClassVar[str] = "detection"
    about: ClassVar[str] = "Find objects in pictures."
    columns: ClassVar[Sequence[str]] = (
        *("class", "category_id", "score", "left", "top", "right", "bottom"),
    )

    def prepare(self, about: Description) -> None:
        """Find how candidates are picked out of the network's output."""
        steps = about.postprocessing
        self._pick, names = _CANDIDATES[one_of(steps["kind"], tuple(_CANDIDATES))]
        self._settings: dict[str, Any] = {name: steps[name] for name in names}
        self._size = about.input.width, about.input.height

    def results(
        self, outputs: Tensors, placements: Sequence[Placement], threshold: float | None
    ) -> list[Detections]:
        """For each picture, the surest first; boxes are xyxy in its pixels."""
        limits = np.array(self.thresholds, np.float32) if threshold is None else threshold
        found = self._pick(outputs, **self._settings)
        return [
            place(one, *self._size, where).above(limits)
            for one, where in zip(found, placements, strict=True)
        ]

    def rows(self, result: Detections) -> list[dict[str, Any]]:
        """Make a row of each box, pixels to a thousandth."""
        return [
            {
                "class": self.classes[label],
                "category_id": self.category_ids[label],
                "score": round(float(score), 6),
                **dict(zip(self.columns[3:], (round(float(side), 3) for side in box), strict=True)),
            }
            for box, score, label in zip(result.boxes, result.scores, result.classes, strict=True)
        ]

    def tally(self, result: Detections) -> Mapping[str, int]:
        """Count the objects of each class."""
        return Counter(self.classes[label] for label in result.classes)

    def draw(self, image: Image, result: Detections) -> Image:
        """Draw boxes with class name and confidence."""
        from models import drawing

        captions = [
            f"{self.classes[label]} {score:.2f}"
            for label, score in zip(result.classes, result.scores, strict=True)
        ]
        colours = [drawing.class_colour(int(label)) for label in result.classes]
        return drawing.draw_boxes(image, result.boxes, captions, colours)
