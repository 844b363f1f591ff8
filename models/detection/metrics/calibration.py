"""Does a confidence of 0.7 mean that seven of ten are right?

Expected calibration error after Naeini et al., 2015, with precision in the place of accuracy as in
Küppers et al., 2020 (arXiv:2004.13546).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.metrics.matching import Matches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Confidence against precision, in bins of equal width."""

    edges: Floats
    """Shape (bins + 1,), from 0 to 1."""
    counts: NDArray[np.int64]
    """Shape (bins,): detections in each."""
    confidence: Floats
    """Shape (bins,): their mean confidence; nan in an empty bin."""
    precision: Floats
    """Shape (bins,): the share that is right; nan in an empty bin."""

    @property
    def error(self) -> float:
        """Mean distance of confidence and precision, weighed by detections; nan with none."""
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        distance = np.abs(self.confidence - self.precision)[filled]
        return float((distance * self.counts[filled]).sum() / self.counts.sum())


def calibration(
    matches: Matches,
    bins: int = 10,
    smallest: float | NDArray[np.float32] = 0.0,
    iou: int = 0,
) -> Calibration:
    """Compare confidence with precision.

    Args:
        matches: of detections that no threshold has cut.
        bins: of equal width between 0 and 1; a score on an edge belongs to the upper one.
        smallest: only detections of at least this confidence count; one for all, or one by class.
        iou: index of the IoU limit.
    """
    counted = matches.above(smallest) & ~matches.ignored[iou]
    scores = matches.scores[counted]
    right = matches.correct(iou)[counted]
    # In float32, where ten times 0.9 is 9.
    place = np.minimum((scores * np.float32(bins)).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    nothing = np.full(bins, np.nan)
    filled = counts > 0
    return Calibration(
        edges=np.linspace(0.0, 1.0, bins + 1),
        counts=counts,
        confidence=np.divide(
            np.bincount(place, scores, bins), counts, out=nothing.copy(), where=filled
        ),
        precision=np.divide(np.bincount(place, right, bins), counts, out=nothing, where=filled),
    )
