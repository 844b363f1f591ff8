"""Figures against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from models.classification.metrics.calibration import (
    fit_temperature,
    log_loss,
    reliability,
)
from models.classification.metrics.coverage import risk_coverage
from models.classification.metrics.figures import (
    accuracy,
    average_precision,
    by_class,
    confusion,
    mean,
    mean_average_precision,
    said,
    top_k,
)
from models.classification.naming import confidences, name_classes


def drawn(count: int, classes: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)).astype(np.float32)
    logits[np.arange(count), truth] += 1.5
    return logits, truth


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_one_class_a_picture(classes: int) -> None:
    logits, truth = drawn(200, classes, classes)
    scores, flags = confidences(logits, "softmax"), np.eye(classes, dtype=bool)[truth]
    best = scores.argmax(axis=1)
    named = said(scores, 0.9, several=False)
    each = by_class(named, flags)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, best)
    assert accuracy(named, flags) == pytest.approx(metrics.accuracy_score(truth, best))
    for own, wanted in ((each.precision, precision), (each.recall, recall), (each.f1, f1)):
        assert own == pytest.approx(wanted)
    assert mean(each.f1) == pytest.approx(metrics.f1_score(truth, best, average="macro"))
    assert np.array_equal(confusion(scores, flags), metrics.confusion_matrix(truth, best))
    assert log_loss(logits, flags, "softmax", 1.0) == pytest.approx(
        metrics.log_loss(truth, scores.astype(np.float64)), rel=1e-5
    )
    if classes > 5:
        wanted = metrics.top_k_accuracy_score(truth, scores, k=5)
        assert top_k(scores, flags, 5) == pytest.approx(wanted)


def test_several_classes_a_picture() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((150, 6)) < 0.3
    logits = (rng.normal(size=truth.shape) + 1.5 * truth).astype(np.float32)
    scores = confidences(logits, "sigmoid")
    named = said(scores, 0.6, several=True)
    assert accuracy(named, truth) == pytest.approx(metrics.accuracy_score(truth, named))
    wanted = metrics.f1_score(truth, named, average=None)
    assert by_class(named, truth).f1 == pytest.approx(wanted)
    assert mean_average_precision(scores, truth) == pytest.approx(
        metrics.average_precision_score(truth, scores, average="macro")
    )
    assert log_loss(logits, truth, "sigmoid", 1.0) == pytest.approx(
        metrics.log_loss(truth.ravel(), scores.ravel().astype(np.float64)), rel=1e-4
    )


def test_average_precision_with_equal_scores() -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 5, 80).astype(np.float32) / 5
    truth = rng.random(80) < 0.4
    wanted = metrics.average_precision_score(truth, scores)
    assert average_precision(scores, truth) == pytest.approx(wanted)


def test_classes_that_are_absent_have_no_figure() -> None:
    truth = np.eye(3, dtype=bool)[[0, 0, 1]]
    each = by_class(truth, truth)
    assert each.f1[:2].tolist() == [1.0, 1.0] and np.isnan(each.f1[2])
    assert np.isnan(accuracy(truth[:0], truth[:0]))


def test_a_class_that_is_never_named_lowers_the_mean_precision() -> None:
    truth = np.array([0, 0, 1, 2])
    best = np.zeros(4, np.int64)  # one class for all
    each = by_class(np.eye(4, dtype=bool)[best], np.eye(4, dtype=bool)[truth])
    wanted = metrics.precision_score(truth, best, average="macro", zero_division=0)
    assert each.mean_precision == pytest.approx(wanted) == pytest.approx(0.5 / 3)
    assert np.isnan(each.precision[1:]).all()


@pytest.mark.parametrize("heat", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_temperature_that_spoilt_logits_is_found(heat: float, kind: str) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 4)) * 2
    chance = confidences(logits.astype(np.float32), kind)
    if kind == "softmax":
        drawn = (rng.random((4000, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(max=3)
        truth = np.eye(4, dtype=bool)[drawn]
    else:
        truth = rng.random(chance.shape) < chance
    found = fit_temperature((logits * heat).astype(np.float32), truth, kind)
    assert found == pytest.approx(heat, rel=0.1)


def test_calibration_error() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55], np.float32)
    right = np.array([True, True, True, False, True, False])
    found = reliability(confidence, right, bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 4]
    assert found.error == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert reliability(np.ones(3, np.float32), np.ones(3, bool)).error == 0.0


def test_risk_and_coverage() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    curve = risk_coverage(confidence, np.array([True, True, False, True]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert curve.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    threshold, coverage, risk = curve.threshold(0.0)
    assert (round(threshold, 6), coverage, risk) == (0.75, 0.5, 0.0)
    assert curve.threshold(0.25) == (0.0, 1.0, 0.25)  # every picture may be named
    wrong = risk_coverage(confidence, np.zeros(4, bool))
    assert wrong.threshold(0.1)[0] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("kind", "limits", "named"),
    [
        ("softmax", 0.0, [[1], [0]]),
        ("softmax", 0.7, [[1], []]),
        ("softmax", [0.0, 0.9, 0.0], [[], [0]]),
        ("sigmoid", 0.2, [[1], [0, 1]]),
        ("sigmoid", [0.5, 0.1, 0.0], [[1, 2], [0, 1, 2]]),
    ],
)
def test_naming(kind: str, limits: Any, named: list[list[int]]) -> None:
    scores = np.array([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]], np.float32)
    given = np.array(limits, np.float32) if isinstance(limits, list) else limits
    assert [one.named.tolist() for one in name_classes(scores, given, kind)] == named


def test_logits_that_are_no_numbers_are_never_named() -> None:
    scores = confidences(np.array([[np.nan, 1.0], [np.inf, 0.0]], np.float32), "softmax")
    assert np.isfinite(scores).all()
    assert all(not len(one) for one in name_classes(scores, 0.0, "softmax"))
