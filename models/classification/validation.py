"""Labelled pictures on which the forms of one classifier are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.classification.labels import labels_for
from models.classification.metrics.figures import accuracy, by_class, mean, said
from models.data.reading import read_picture
from models.families import Predict
from models.package import ModelCard
from models.reporting import Image

_BLOCK = 64


class ClassificationValidation:
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
        labels = labels_for(dataset, split, card.class_names)
        count = min(most, len(labels))
        kept = np.linspace(0, len(labels) - 1, count).round().astype(int)
        self.split = split
        self.files = [labels.folder / labels.files[index] for index in kept.tolist()]
        self._truth = labels.truth[kept]
        self._several = labels.several
        self._limits = np.array(card.class_thresholds, np.float32)

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, index: int) -> Image:
        """Decode one of the pictures."""
        return read_picture(self.files[index])

    def measure(self, predict: Predict) -> dict[str, float]:
        """Compute accuracy and macro F1."""
        return self.measure_each(predict).values

    def measure_each(
        self, predict: Predict, indices: Sequence[int] | None = None
    ) -> ClassificationMeasurement:
        """Measure so that accuracy can be had for any choice of the pictures."""
        indices = range(len(self)) if indices is None else indices
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(indices), _BLOCK):
            block = indices[start : start + _BLOCK]
            found = predict([self.picture(index) for index in block], 0.0)
            rows += [one.scores for one in found]
        truth = self._truth[list(indices)]
        scores = np.array(rows, np.float32).reshape(truth.shape)
        return ClassificationMeasurement(said(scores, self._limits, self._several), truth)


class ClassificationMeasurement:
    """What is named on labelled pictures, and what it is worth."""

    def __init__(self, named: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
        """Measure; a figure with nothing to measure it on is left out of `values`."""
        values = {"accuracy": accuracy(named, truth), "f1": mean(by_class(named, truth).f1)}
        self.values = {name: value for name, value in values.items() if np.isfinite(value)}
        self._named, self._truth = named, truth
        self._right = (named == truth).all(axis=1)

    def figure(self, counts: NDArray[np.int64] | None = None) -> float:
        """Compute accuracy with each picture counted so often."""
        if counts is None:
            return self.values.get("accuracy", float("nan"))
        return float(np.average(self._right, weights=counts)) if counts.sum() else float("nan")
