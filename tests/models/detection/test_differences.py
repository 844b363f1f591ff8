"""Comparing two runtimes' detections."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.detections import Detections
from models.detection.differences import differences

INF = float("inf")


def found(*rows: tuple[float, float, int]) -> Detections:
    """Detections of 10 pixels a side from (left edge, score, class)."""
    boxes = [[left, 0, left + 10, 10] for left, _, _ in rows]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in rows], np.float32),
        np.array([label for _, _, label in rows], np.int64),
    )


@pytest.mark.parametrize(
    ("one", "other", "score", "position"),
    [
        pytest.param([(0, 0.9, 0)], [(0, 0.9, 0)], [0], [0], id="same"),
        pytest.param([(0, 0.9, 0)], [(3, 0.8, 0)], [0.1], [3], id="moved"),
        pytest.param([(0, 0.9, 0)], [(0, 0.9, 1)], [INF, INF], [INF, INF], id="another class"),
        pytest.param([(0, 0.9, 0)], [], [INF], [INF], id="lost"),
        pytest.param([], [(0, 0.9, 0)], [INF], [INF], id="made up"),
        pytest.param([], [(0, 0.01, 0)], [], [], id="unsure ones don't count"),
        pytest.param([(0, 0.051, 0)], [(0, 0.049, 0)], [0.002], [0], id="astride the floor"),
        pytest.param([(0, 0.049, 0)], [(0, 0.051, 0)], [0.002], [0], id="astride, other way"),
        pytest.param(
            [(0, 0.9, 0), (50, 0.8, 0)],
            [(50, 0.85, 0), (0, 0.83, 0)],
            [0.07, 0.05],
            [0, 0],
            id="other order",
        ),
        pytest.param(
            [(0, 0.9, 0), (0, 0.5, 0)],
            [(0, 0.5, 0), (0, 0.9, 0)],
            [0, 0],
            [0, 0],
            id="two in one place",
        ),
        pytest.param([(0, 0.9, 0)], [(0, 0.9, 0), (0, 0.9, 0)], [0, INF], [0, INF], id="doubled"),
    ],
)
def test_pairs(
    one: list[tuple[float, float, int]],
    other: list[tuple[float, float, int]],
    score: list[float],
    position: list[float],
) -> None:
    off = differences([found(*one)], [found(*other)], 0.05)
    np.testing.assert_allclose(off["score"], score, atol=1e-6)
    np.testing.assert_allclose(off["position"], position, atol=1e-6)


def test_pictures_are_kept_apart() -> None:
    nothing, something = found(), found((0, 0.9, 0))
    assert np.isinf(differences([nothing, something], [something, nothing], 0.05)["score"]).all()
