"""Precision, recall, F-measure and IoU at a threshold, and over all thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.metrics.matching import Matches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Counts at one threshold and one IoU, and what follows from them."""

    correct: int
    false: int
    missed: int
    overlap: float
    """Sum of the IoUs of correct detections."""

    @property
    def precision(self) -> float:
        """Share of detections that are correct; nan with no detection."""
        return _share(self.correct, self.correct + self.false)

    @property
    def recall(self) -> float:
        """Share of objects that were found; nan with no object."""
        return _share(self.correct, self.correct + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; nan with no object and no detection."""
        return _share(2 * self.correct, 2 * self.correct + self.false + self.missed)

    def measure(self, beta: float) -> float:
        """F-measure that holds recall for `beta` times as important as precision; nan as `f1`."""
        weight = beta * beta
        hits = (1 + weight) * self.correct
        return _share(hits, hits + weight * self.missed + self.false)

    @property
    def iou(self) -> float:
        """Mean IoU of the objects with what found them, a missed one counting 0; nan with none."""
        return _share(self.overlap, self.correct + self.missed)


def scores_at(
    matches: Matches,
    threshold: float | NDArray[np.float32],
    iou: int = 0,
    label: int | None = None,
) -> Scores:
    """Count at a threshold.

    Args:
        matches: of detections that no higher threshold has cut.
        threshold: detections of at least this confidence count; one for all, or one by class.
        iou: index of the IoU limit.
        label: count only detections and objects of this class.
    """
    kept = matches.above(threshold) & ~matches.ignored[iou]
    objects = len(matches.objects)
    if label is not None:
        kept &= matches.classes == label
        objects = int((matches.objects == label).sum())
    right = kept & matches.correct(iou)
    correct = int(right.sum())
    return Scores(
        correct=correct,
        false=int(kept.sum()) - correct,
        missed=max(0, objects - correct),
        overlap=float(matches.overlap[iou][right].sum()),
    )


def scores_by_class(
    matches: Matches, threshold: float | NDArray[np.float32], classes: int, iou: int = 0
) -> list[Scores]:
    """Count at a threshold for each class: what `scores_at` gives with its label.

    Args:
        matches: of detections that no higher threshold has cut, matched by class.
        threshold: one for all, or one by class.
        classes: number of classes.
        iou: index of the IoU limit.
    """
    kept = matches.above(threshold) & ~matches.ignored[iou]
    right = kept & matches.correct(iou)
    labels = matches.classes[right]
    counted = np.bincount(matches.classes[kept], minlength=classes).tolist()
    correct = np.bincount(labels, minlength=classes).tolist()
    overlap = np.bincount(labels, matches.overlap[iou][right], classes).tolist()
    objects = np.bincount(matches.objects, minlength=classes).tolist()
    return [
        Scores(hits, all_ - hits, max(0, there - hits), sum_)
        for hits, all_, there, sum_ in zip(correct, counted, objects, overlap, strict=True)
    ]


@dataclass(frozen=True)
class ThresholdCurves:
    """Figures against the threshold, at one IoU."""

    thresholds: Floats
    """Falling; each is a score that occurs."""
    precision: Floats
    recall: Floats
    f1: Floats

    def measure(self, beta: float) -> Floats:
        """F-measure that holds recall for `beta` times as important as precision."""
        weight = beta * beta
        top = (1 + weight) * self.precision * self.recall
        bottom = weight * self.precision + self.recall
        result: Floats = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
        return result


def threshold_curves(matches: Matches, iou: int = 0, label: int | None = None) -> ThresholdCurves:
    """Compute figures at every threshold that makes a difference.

    Args:
        matches: of detections that no threshold has cut.
        iou: index of the IoU limit.
        label: only this class.
    """
    chosen, objects = ~matches.ignored[iou], len(matches.objects)
    if label is not None:
        chosen &= matches.classes == label
        objects = int((matches.objects == label).sum())
    scores, right = matches.scores[chosen], matches.correct(iou)[chosen]
    # Detections of one score pass a threshold together: take the last of each run.
    last = (
        np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else np.zeros(0, int)
    )
    correct = np.cumsum(right)[last].astype(float)
    kept = (last + 1).astype(float)
    precision = correct / np.maximum(kept, 1.0)
    recall = correct / max(objects, 1)
    f1 = 2 * correct / np.maximum(kept + objects, 1.0)
    return ThresholdCurves(scores[last].astype(float), precision, recall, f1)


@dataclass(frozen=True)
class BestThreshold:
    """The threshold that makes an F-measure greatest."""

    threshold: float
    value: float


def best_threshold(
    curves: ThresholdCurves, beta: float = 1.0, grid: int = 0, smallest: float = 0.0
) -> BestThreshold | None:
    """Find the threshold.

    The F-measure is constant from one score to the next, so the threshold is put in the middle
    between the last score kept and the first one cut: equally far from changing either.

    Args:
        curves: on data that the threshold is not reported on.
        beta: see `ThresholdCurves.measure`.
        grid: thresholds tried, evenly spaced; 0 tries every score.
        smallest: the smallest threshold allowed.

    Returns:
        The threshold, the highest among equals; None where nothing correct was found.
    """
    values = curves.measure(beta)
    if grid:
        tried = np.linspace(1.0, 0.0, grid + 2)[1:-1]
        tried = tried[tried >= smallest]
        # Falling scores: the last one that is at least as high as the threshold.
        at = np.searchsorted(-curves.thresholds, -tried, side="right") - 1
        reached = np.where(at >= 0, values[np.maximum(at, 0)] if len(values) else 0.0, 0.0)
        if not len(tried) or reached.max() <= 0.0:
            return None
        best = int(reached.argmax())
        return BestThreshold(float(tried[best]), float(reached[best]))
    allowed = curves.thresholds >= smallest
    if not allowed.any() or values[allowed].max() <= 0.0:
        return None
    best = int(np.where(allowed, values, -1.0).argmax())
    score = curves.thresholds[best]
    below = curves.thresholds[best + 1] if best + 1 < len(curves.thresholds) else smallest
    middle = (score + max(below, smallest)) / 2
    return BestThreshold(float(middle), float(values[best]))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
