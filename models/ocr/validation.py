"""Labelled lines on which the forms of one reader are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.families import Predict
from models.ocr.dataset import read_line
from models.ocr.metrics.edits import edit_distances
from models.ocr.metrics.figures import figures_of
from models.ocr.predicting import lines_for
from models.ocr.readings import Reading
from models.package import ModelCard
from models.reporting import Image

_BLOCK = 32


class ReadingValidation:
    """Lines of one split, spread evenly over it if not all are wanted."""

    def __init__(self, card: ModelCard, dataset: Path, split: str, most: int) -> None:
        """Read the labels.

        Args:
            card: of the model; it must know the dataset's characters.
            dataset: prepared dataset folder.
            split: train, val or test.
            most: lines wanted at most.

        Raises:
            ValueError: no such split, no lines in it, or characters that the model doesn't know.
        """
        self._lines = lines_for(card, dataset, split)
        count = min(most, len(self._lines))
        kept = np.linspace(0, len(self._lines) - 1, count).round().astype(int).tolist()
        self._kept: list[int] = kept
        self.split = split
        self.files = [self._lines.folder / self._lines.files[index] for index in kept]

    def __len__(self) -> int:
        return len(self._kept)

    def picture(self, index: int) -> Image:
        """Decode one of the pictures."""
        return read_line(self._lines, self._kept[index])

    def measure(self, predict: Predict) -> dict[str, float]:
        """Compute exact match and character accuracy."""
        return self.measure_each(predict).values

    def measure_each(
        self, predict: Predict, indices: Sequence[int] | None = None
    ) -> ReadingMeasurement:
        """Measure so that exact match can be had for any choice of the lines."""
        indices = range(len(self)) if indices is None else indices
        found: list[Reading] = []
        for start in range(0, len(indices), _BLOCK):
            block = indices[start : start + _BLOCK]
            found += predict([self.picture(index) for index in block], 0.0)
        truths = [self._lines.texts[self._kept[index]] for index in indices]
        return ReadingMeasurement(truths, [one.text for one in found])


class ReadingMeasurement:
    """Readings of labelled lines, and what they are worth."""

    def __init__(self, truths: Sequence[str], texts: Sequence[str]) -> None:
        self._distances = edit_distances(truths, texts)
        lengths = np.array([len(truth) for truth in truths], np.int64)
        found = figures_of(self._distances, lengths)
        names = ("exact_match", "character_accuracy")
        self.values = {name: found[name] for name in names if np.isfinite(found[name])}

    def figure(self, counts: NDArray[np.int64] | None = None) -> float:
        """Compute exact match with each line counted so often."""
        right = self._distances == 0
        if counts is None:
            return float(right.mean()) if len(right) else float("nan")
        total = int(counts.sum())
        return float((right * counts).sum() / total) if total else float("nan")
