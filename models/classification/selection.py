"""What training prefers: which epoch is the best, which pictures and classes count more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.classification.labels import Labels
from models.classification.learner import RawPrediction
from models.classification.metrics.calibration import log_loss
from models.classification.metrics.figures import (
    accuracy,
    by_class,
    mean,
    mean_average_precision,
    said,
    top_k,
)
from models.classification.naming import confidences
from models.classification.options import Figure, TrainOptions

_TOP = 5


class Judge:
    """Figures of raw validation predictions; `metric` names the one that picks the best epoch."""

    def __init__(self, labels: Labels, figures: Sequence[Figure]) -> None:
        if "top5" in figures and len(labels.classes) <= _TOP:
            raise ValueError(
                f"best_metric: top5 says nothing with {len(labels.classes)} classes; take accuracy"
            )
        self.metric = figures[0] if len(figures) == 1 else f"mean of {', '.join(figures)}"
        self._figures = figures
        self._labels = labels

    def __call__(self, predictions: Sequence[RawPrediction]) -> dict[str, float]:
        """Judge the predictions of a whole split."""
        ordered = sorted(predictions, key=lambda one: one.index)
        truth = self._labels.truth[[one.index for one in ordered]]
        logits = np.stack([one.logits for one in ordered])
        if not np.isfinite(logits).all():
            # A network that is no longer one is worth nothing; the loop says so at the next loss.
            logits = np.nan_to_num(logits, nan=0.0, posinf=0.0, neginf=0.0)
        several = self._labels.several
        kind = "sigmoid" if several else "softmax"
        scores = confidences(logits, kind)
        named = said(scores, 0.5, several)
        found = {
            "accuracy": accuracy(named, truth),
            "f1": mean(by_class(named, truth).f1),
            "log loss": log_loss(logits, truth, kind, 1.0),
        }
        if several or "mAP" in self._figures:
            found["mAP"] = mean_average_precision(scores, truth)
        if len(self._labels.classes) > _TOP and not several:
            found["top5"] = top_k(scores, truth, _TOP)
        if len(self._figures) > 1:
            found[self.metric] = float(np.mean([found[name] for name in self._figures]))
        return found


def wanted(labels: Labels, options: TrainOptions) -> NDArray[np.float64] | None:
    """Say how often each training picture should come; nothing where all are wanted alike."""
    if not options.balance:
        return None
    counts = labels.truth.sum(axis=0).astype(np.float64)
    # Of several classes the rarest counts.
    rarest = np.where(labels.truth, counts, np.inf).min(axis=1)
    rarest[~np.isfinite(rarest)] = counts.max(initial=1.0)
    weights: NDArray[np.float64] = (1.0 / rarest) ** options.balance
    return weights


def class_weights(labels: Labels, options: TrainOptions) -> list[float] | None:
    """Weigh the classes in the loss, with a mean of 1 over the pictures.

    Raises:
        ValueError: another number of weights than of classes.
    """
    if options.class_weights == "none":
        return None
    counts = labels.truth.sum(axis=0).astype(np.float64)
    if options.class_weights == "balanced":
        weights = np.where(counts > 0, 1.0 / np.maximum(counts, 1), 0.0)
    else:
        weights = np.array(options.class_weights, np.float64)
        if len(weights) != len(labels.classes):
            raise ValueError(
                f"class_weights: {len(weights)} weights for {len(labels.classes)} classes "
                f"({', '.join(labels.classes)})"
            )
    scale = counts.sum() / max(float((weights * counts).sum()), 1e-12)
    return [float(weight) for weight in weights * scale]
