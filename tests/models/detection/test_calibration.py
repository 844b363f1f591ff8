from __future__ import annotations

import math

import numpy as np
import pytest

from models.detection.metrics.calibration import calibration
from tests.models.detection.test_threshold_scores import matches

TEN = matches([0.9] * 10 + [0.3] * 10, [True] * 9 + [False] + [True] * 5 + [False] * 5, 20)


def test_confidence_is_compared_with_precision_in_bins() -> None:
    made = calibration(TEN)
    assert made.counts.tolist() == [0, 0, 0, 10, 0, 0, 0, 0, 0, 10]
    assert made.precision[[3, 9]].tolist() == [0.5, 0.9]
    assert made.confidence[[3, 9]] == pytest.approx([0.3, 0.9])
    assert np.isnan(made.precision[0]) and np.isnan(made.confidence[0])
    # Half of them are off by 0.2.
    assert made.error == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("bins", "smallest", "error"),
    [(10, 0.5, 0.0), (1, 0.0, abs(0.6 - 0.7)), (10, np.array([0.5], np.float32), 0.0)],
)
def test_bins_and_threshold_count(bins: int, smallest: float, error: float) -> None:
    assert calibration(TEN, bins, smallest).error == pytest.approx(error, abs=1e-6)


def test_certainty_falls_into_the_last_bin_and_nothing_has_no_error() -> None:
    assert calibration(matches([1.0], [True], 1)).counts.tolist() == [0] * 9 + [1]
    assert math.isnan(calibration(matches([], [], 1)).error)
