"""Labelled pictures on which the forms of one detector are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.detection.dataset import read_labels, read_picture
from models.detection.detections import Detections
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.truth import truths_of
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
        detections: list[Detections] = []
        for start in range(0, len(self), _BLOCK):
            block = range(start, min(start + _BLOCK, len(self)))
            detections += predict([self.picture(index) for index in block], 0.0)
        values = coco_figures(self._truths, detections, self._classes).values
        return {name: values[name] for name in ("mAP", "mAP50") if np.isfinite(values[name])}
