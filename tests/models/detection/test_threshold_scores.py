from __future__ import annotations

import math

import numpy as np
import pytest

from models.detection.metrics.matching import Matches
from models.detection.metrics.scores import (
    best_threshold,
    scores_at,
    threshold_curves,
)


def matches(
    scores: list[float], right: list[bool], objects: int, classes: list[int] | None = None
) -> Matches:
    """Detections by falling score; each right one finds another object."""
    found = np.where(right, np.cumsum(right) - 1, -1)
    labels = np.asarray(classes if classes is not None else [0] * len(scores), np.int64)
    return Matches(
        scores=np.asarray(scores, np.float32),
        classes=labels,
        pictures=np.zeros(len(scores), np.int64),
        found=found[None],
        overlap=np.where(right, 0.8, 0.0).astype(np.float32)[None],
        ious=(0.5,),
        objects=np.zeros(objects, np.int64),
        boxes=np.zeros((len(scores), 4), np.float32),
        ignored=np.zeros((1, len(scores)), bool),
    )


SOME = matches([0.9, 0.8, 0.8, 0.4, 0.2], [True, True, False, True, False], 4)


@pytest.mark.parametrize(
    ("threshold", "correct", "false", "missed"),
    [
        (0.0, 3, 2, 1),
        (0.3, 3, 1, 1),
        (0.4, 3, 1, 1),
        (0.5, 2, 1, 2),
        (0.8, 2, 1, 2),
        (0.95, 0, 0, 4),
    ],
)
def test_counts_at_a_threshold(threshold: float, correct: int, false: int, missed: int) -> None:
    found = scores_at(SOME, threshold)
    assert (found.correct, found.false, found.missed) == (correct, false, missed)
    # A missed object counts 0 in the mean IoU.
    assert found.iou == pytest.approx(0.8 * correct / 4)
    if correct:
        assert found.precision == pytest.approx(correct / (correct + false))
        assert found.recall == pytest.approx(correct / 4)
        harmonic = 2 / (1 / found.precision + 1 / found.recall)
        assert found.f1 == pytest.approx(harmonic)


@pytest.mark.parametrize(
    ("right", "objects", "known"),
    [
        ([], 3, {"recall": 0.0, "f1": 0.0, "iou": 0.0}),
        ([False], 0, {"precision": 0.0, "f1": 0.0}),
        ([], 0, {}),
    ],
)
def test_what_cannot_be_measured_is_nan(
    right: list[bool], objects: int, known: dict[str, float]
) -> None:
    found = scores_at(matches([0.9] * len(right), right, objects), 0.5)
    for name in ("precision", "recall", "f1", "iou"):
        value = getattr(found, name)
        assert value == known[name] if name in known else math.isnan(value)


def test_curves_agree_with_counting_at_each_threshold() -> None:
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random(300).round(2))[::-1].tolist()
    some = matches(scores, (rng.random(300) < 0.6).tolist(), 250)
    curves = threshold_curves(some)
    assert len(curves.thresholds) == len(set(scores))
    for index, threshold in enumerate(curves.thresholds):
        found = scores_at(some, threshold)
        assert curves.precision[index] == pytest.approx(found.precision)
        assert curves.recall[index] == pytest.approx(found.recall)
        assert curves.f1[index] == pytest.approx(found.f1)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("grid", [0, 50, 999])
def test_no_threshold_is_better_than_the_best(beta: float, grid: int) -> None:
    rng = np.random.default_rng(1)
    scores = np.sort(rng.random(200))[::-1]
    some = matches(scores.tolist(), (rng.random(200) < scores).tolist(), 120)

    def measure(threshold: float) -> float:
        at = scores_at(some, threshold)
        if math.isnan(at.precision) or at.correct == 0:
            return 0.0
        weight = beta**2
        return (1 + weight) * at.precision * at.recall / (weight * at.precision + at.recall)

    best = best_threshold(threshold_curves(some), beta, grid)
    assert best is not None
    assert measure(best.threshold) == pytest.approx(best.value)
    tried = np.linspace(1, 0, grid + 2)[1:-1] if grid else scores
    assert best.value == pytest.approx(max(measure(float(one)) for one in tried))


def test_the_threshold_lies_between_the_last_kept_and_the_first_cut() -> None:
    best = best_threshold(threshold_curves(matches([0.9, 0.3], [True, False], 1)))
    assert best is not None
    assert (best.threshold, best.value) == (pytest.approx(0.6), 1.0)


def test_no_threshold_below_the_smallest_allowed() -> None:
    low = matches([0.2, 0.1], [True, True], 2)
    free, held = (best_threshold(threshold_curves(low), smallest=s) for s in (0.0, 0.15))
    assert free is not None and held is not None
    assert free.threshold < 0.1
    assert held.threshold >= 0.15
    assert best_threshold(threshold_curves(low), smallest=0.5) is None


@pytest.mark.parametrize("grid", [0, 10])
def test_nothing_right_has_no_best_threshold(grid: int) -> None:
    for none in (matches([0.9], [False], 3), matches([], [], 3), matches([], [], 0)):
        assert best_threshold(threshold_curves(none), grid=grid) is None


def test_a_class_counts_its_own_only() -> None:
    some = matches([0.9, 0.8, 0.7], [True, False, True], 2, classes=[0, 1, 0])
    assert scores_at(some, 0.5, label=1).false == 1
    assert scores_at(some, 0.5, label=0).false == 0
    assert threshold_curves(some, label=1).thresholds.tolist() == pytest.approx([0.8])
