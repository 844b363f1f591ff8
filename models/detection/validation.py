"""Labelled pictures on which the forms of one detector are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.reading import read_picture
from models.detection.detections import Detections
from models.detection.labels import read_labels
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.resampling import PictureRecords
from models.detection.metrics.truth import Truth, truths_of
from models.families import Predict
from models.package import ModelCard
from models.reporting import Image

_BLOCK = 32


class DetectionValidation:
    """Pictures of one split, spread evenly over it if not all are wanted."""

    def __init__(self, card: ModelCard, dataset: Path, split: str, most: int) -> None:
        """Read the labels.

        Args:
            card: of the model; its classes must be the dataset's.
            dataset: prepared dataset folder.
            split: train, val or test.
            most: pictures wanted at most.

        Raises:
            ValueError: no such split, no pictures in it, or other classes.
        """
        labels = read_labels(dataset, split)
        if card.class_names != labels.classes:
            raise ValueError(
                f"the model knows the classes {', '.join(card.class_names)}, the dataset "
                f"{dataset} has {', '.join(labels.classes)}: use one with the model's classes in "
                f"its order"
            )
        if not len(labels):
            raise ValueError(f"the split '{split}' of {dataset} has no pictures")
        count = min(most, len(labels))
        kept = np.linspace(0, len(labels) - 1, count).round().astype(int).tolist()
        self.split = split
        self.files = [labels.folder / labels.files[index] for index in kept]
        truths = truths_of(labels)
        self._truths = [truths[index] for index in kept]
        self._classes = len(labels.classes)

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, index: int) -> Image:
        """Decode one of the pictures."""
        return read_picture(self.files[index])

    def measure(self, predict: Predict) -> dict[str, float]:
        """Compute COCO's mAP and mAP50; a figure with nothing to measure it on is left out."""
        return self.measure_each(predict).values

    def measure_each(
        self, predict: Predict, indices: Sequence[int] | None = None
    ) -> DetectionMeasurement:
        """Measure so that mAP can be had for any choice of the pictures."""
        indices = range(len(self)) if indices is None else indices
        detections: list[Detections] = []
        for start in range(0, len(indices), _BLOCK):
            block = indices[start : start + _BLOCK]
            detections += predict([self.picture(index) for index in block], 0.0)
        truths = [self._truths[index] for index in indices]
        return DetectionMeasurement(truths, detections, self._classes)


class DetectionMeasurement:
    """Detections on labelled pictures, and what they are worth."""

    def __init__(
        self, truths: Sequence[Truth], detections: Sequence[Detections], classes: int
    ) -> None:
        """Measure; a figure with nothing to measure it on is left out of `values`."""
        found = coco_figures(truths, detections, classes).values
        self.values = {name: found[name] for name in ("mAP", "mAP50") if np.isfinite(found[name])}
        self._matched = truths, detections, classes
        self._records: PictureRecords | None = None

    def figure(self, counts: NDArray[np.int64] | None = None) -> float:
        """Compute mAP with each picture counted so often."""
        if counts is None:
            return self.values.get("mAP", float("nan"))
        if self._records is None:
            self._records = PictureRecords(*self._matched)
        return self._records.figure(counts)
