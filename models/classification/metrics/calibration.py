"""How far confidences can be believed, and the temperature that makes them so.

Guo et al., 2017: expected calibration error over bins of equal width, and one temperature that
makes the likelihood of validation labels greatest. It changes no ranking within a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.classification.naming import confidences

_COLDEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Reliability:
    """Confidence and accuracy by bin."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Mean in each bin; nan in an empty one."""
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of the two, weighted by the counts."""
        if not self.counts.sum():
            return float("nan")
        apart = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((self.counts * apart).sum() / self.counts.sum())


def reliability(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], bins: int = 15
) -> Reliability:
    """Sort predictions into bins of equal width, each with its upper edge.

    Args:
        confidence: of each prediction, (N,).
        right: whether it was right, (N,).
        bins: how many.
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(place, confidence, minlength=bins) / counts
        hits = np.bincount(place, right, minlength=bins) / counts
    return Reliability(edges, counts, mean, hits)


def log_loss(
    logits: NDArray[np.float32], truth: NDArray[np.bool_], kind: str, heat: float
) -> float:
    """Compute the mean negative log likelihood of the truth at a temperature."""
    scaled = logits.astype(np.float64) / heat
    if kind == "sigmoid":
        each = np.logaddexp(0, scaled) - truth * scaled
        return float(each.mean())
    top = scaled.max(axis=1, keepdims=True)
    norm = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
    return float((norm - scaled[truth]).mean())


def fit_temperature(
    logits: NDArray[np.float32], truth: NDArray[np.bool_], kind: str = "softmax"
) -> float:
    """Find the temperature with the least log loss, between 0.05 and 20.

    Args:
        logits: (N, classes).
        truth: (N, classes).
        kind: `softmax` or `sigmoid`.
    """
    # The loss is convex in 1/T: halving an interval of it finds the least.
    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        one, other = high - golden * (high - low), low + golden * (high - low)
        if log_loss(logits, truth, kind, np.exp(one)) <= log_loss(
            logits, truth, kind, np.exp(other)
        ):
            high = other
        else:
            low = one
    return float(np.exp((low + high) / 2))


def surest(
    logits: NDArray[np.float32], truth: NDArray[np.bool_], heat: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Give the confidence in the surest class of each picture, and whether it's the right one."""
    scores = confidences(logits, "softmax", heat)
    best = scores.argmax(axis=1)
    return scores.max(axis=1), truth[np.arange(len(truth)), best]
