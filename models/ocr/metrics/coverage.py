"""Precision and coverage of readings over the threshold on their confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CoverageCurve:
    """What is accepted at each threshold that occurs, from the greatest down."""

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    """Share of right texts among the accepted ones."""
    coverage: NDArray[np.float64]
    """Share of all lines that is accepted."""

    @property
    def area(self) -> float:
        """Mean precision over coverage; nan without lines."""
        if not len(self.thresholds):
            return float("nan")
        widths = np.diff(self.coverage, prepend=0.0)
        return float((self.precision * widths).sum() / self.coverage[-1])


@dataclass(frozen=True)
class Chosen:
    """A threshold and what it gives."""

    threshold: float
    precision: float
    coverage: float


def coverage_curve(
    right: Sequence[bool] | NDArray[np.bool_],
    confidences: Sequence[float] | NDArray[np.float64],
    lines: int | None = None,
) -> CoverageCurve:
    """Compute the curve.

    Args:
        right: whether each reading is right.
        confidences: of each.
        lines: of which these readings are a part; all of them unless given.
    """
    sure = np.asarray(confidences, np.float64)
    order = np.argsort(-sure, kind="stable")
    good = np.cumsum(np.asarray(right, bool)[order])
    taken = np.arange(1, len(sure) + 1)
    ordered = sure[order]
    # Equal confidences are accepted together.
    ends = np.flatnonzero(np.diff(ordered, append=-np.inf) != 0)
    total = max(1, len(sure) if lines is None else lines)
    return CoverageCurve(ordered[ends], good[ends] / taken[ends], taken[ends] / total)


def threshold_for(curve: CoverageCurve, precision: float) -> Chosen | None:
    """Find the threshold that accepts the most lines with at least this precision.

    Returns:
        It, or None if no threshold reaches the precision.
    """
    enough = np.flatnonzero(curve.precision >= precision - 1e-12)
    if not len(enough):
        return None
    return _chosen(curve, int(enough[-1]))


def most_precise(curve: CoverageCurve) -> Chosen | None:
    """Find the threshold of the greatest precision; of several the one that accepts the most."""
    if not len(curve.thresholds):
        return None
    best = np.flatnonzero(curve.precision == curve.precision.max())
    return _chosen(curve, int(best[-1]))


def _chosen(curve: CoverageCurve, place: int) -> Chosen:
    # Half-way to the next reading, which isn't accepted: confidences move with the runtime.
    below = curve.thresholds[place + 1] if place + 1 < len(curve.thresholds) else 0.0
    return Chosen(
        float((curve.thresholds[place] + below) / 2),
        float(curve.precision[place]),
        float(curve.coverage[place]),
    )
