"""What training prefers: which epoch is the best, and which pictures it sees more often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.dataset import Labels
from models.detection.detections import Detections
from models.detection.learner import RawPrediction
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.matching import match
from models.detection.metrics.scores import best_threshold, scores_at, threshold_curves
from models.detection.metrics.truth import Truth, truths_of
from models.detection.options import Figure, TrainOptions
from models.preprocessing import Preprocessing


class Judge:
    """Figures of raw validation predictions; `metric` names the one that picks the best epoch."""

    def __init__(
        self, labels: Labels, preprocessing: Preprocessing, figures: Sequence[Figure]
    ) -> None:
        self.metric = figures[0] if len(figures) == 1 else f"mean of {', '.join(figures)}"
        self._figures = figures
        self._labels = labels
        self._preprocessing = preprocessing
        self._truths = truths_of(labels)

    def __call__(self, predictions: Sequence[RawPrediction]) -> dict[str, float]:
        """Judge the predictions of a whole split."""
        ordered = sorted(predictions, key=lambda one: one.index)
        detections = [one.detections(self._labels, self._preprocessing) for one in ordered]
        truths = [self._truths[one.index] for one in ordered]
        values = coco_figures(truths, detections, len(self._labels.classes)).values
        found = {
            name: values[name] for name in ("mAP50", "mAP", "mAP75") if not np.isnan(values[name])
        }
        if {"f1", "iou"} & set(self._figures):
            found.update(_at_best_threshold(truths, detections))
        if len(self._figures) > 1:
            found[self.metric] = float(np.mean([found[name] for name in self._figures]))
        return found


def _at_best_threshold(
    truths: Sequence[Truth], detections: Sequence[Detections]
) -> dict[str, float]:
    matches = match(truths, detections, (0.5,))
    best = best_threshold(threshold_curves(matches))
    if best is None:
        return {"f1": 0.0, "iou": 0.0}
    scores = scores_at(matches, best.threshold)
    return {"f1": float(np.nan_to_num(scores.f1)), "iou": float(np.nan_to_num(scores.iou))}


class Wanted:
    """How often each training picture is wanted, by epoch."""

    def __init__(self, labels: Labels, options: TrainOptions) -> None:
        counts = np.array([len(classes) for classes in labels.labels], np.int64)
        self._objects = counts > 0
        self._background_free = options.background_free_epochs
        self._factors: NDArray[np.float64] | None = None
        if options.balance:
            self._factors = repeat_factors(labels, counts, options.balance)

    def __call__(self, epoch: int) -> NDArray[np.float64] | None:
        """Give weights, or nothing where all pictures are wanted alike."""
        if epoch >= self._background_free:
            return self._factors
        if self._factors is None:
            return self._objects.astype(np.float64)
        return self._factors * self._objects


def repeat_factors(labels: Labels, counts: NDArray[np.int64], least: float) -> NDArray[np.float64]:
    """Compute how often each picture should come (Gupta et al., 2019, section 5).

    Args:
        labels: a split.
        counts: objects on each picture.
        least: classes on a smaller share of the pictures are repeated.

    Returns:
        For each picture the largest factor of its classes, at least 1.
    """
    pictures = np.repeat(np.arange(len(counts)), counts)
    classes = np.concatenate([np.zeros(0, np.int64), *labels.labels])
    pairs = np.unique(np.stack([pictures, classes], axis=1), axis=0)
    share = np.bincount(pairs[:, 1], minlength=len(labels.classes)) / max(1, len(counts))
    factors = np.maximum(1.0, np.sqrt(least / np.maximum(share, 1e-12)))
    wanted = np.ones(len(counts))
    np.maximum.at(wanted, pairs[:, 0], factors[pairs[:, 1]])
    return wanted
