"""Saying "don't know": mistakes among the pictures named, against how many are named.

El-Yaniv and Wiener, 2010: coverage is the share of pictures that get a name, risk the share of
mistakes among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RiskCoverage:
    """One entry for each threshold, the highest first; the last one names every picture."""

    thresholds: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Mean risk over coverage (AURC); 0 is perfect."""
        widths = np.diff(self.coverage, prepend=0.0)
        return float((widths * self.risk).sum())

    def threshold(self, risk: float) -> tuple[float, float, float]:
        """Find the lowest threshold that keeps to a risk.

        Returns:
            Threshold, coverage and risk there. Where every picture may be named the threshold is
            0; where no threshold keeps to it, the highest that names something.
        """
        fine = np.flatnonzero(self.risk <= risk)
        if not fine.size:
            return float(self.thresholds[0]), float(self.coverage[0]), float(self.risk[0])
        place = int(fine[-1])
        if place == len(self.risk) - 1:
            return 0.0, 1.0, float(self.risk[-1])
        # Half way to the next lower score, so that the last bits of another runtime don't matter.
        limit = float(self.thresholds[place] + self.thresholds[place + 1]) / 2
        return limit, float(self.coverage[place]), float(self.risk[place])


def risk_coverage(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> RiskCoverage:
    """Draw the curve.

    Args:
        confidence: in what is named, (N,) with N > 0.
        right: whether it's right, (N,).
    """
    order = np.argsort(-confidence, kind="stable")
    scores = confidence[order].astype(np.float64)
    wrong = np.cumsum(~right[order])
    ends = np.flatnonzero(np.append(np.diff(scores) != 0, True))  # equal scores are named together
    return RiskCoverage(scores[ends], (ends + 1) / len(scores), wrong[ends] / (ends + 1))
