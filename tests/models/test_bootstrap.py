"""Intervals of a loss: known cases, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bootstrap import PairedBootstrap, figure_of_each


class Mean:
    """A metric that is the mean of a number for each picture."""

    def __init__(self, each: NDArray[np.float64]) -> None:
        self.each = each
        self.values = {"mean": float(each.mean())}

    def figure(self, counts: NDArray[np.int64] | None = None) -> float:
        if counts is None:
            return self.values["mean"]
        return float(self.each @ counts / counts.sum()) if counts.sum() else float("nan")


def test_the_same_predictions_lose_nothing() -> None:
    each = np.random.default_rng(0).random(40)
    loss = PairedBootstrap(Mean(each), 40, 200).loss(Mean(each.copy()))
    assert (loss.value, loss.low, loss.high) == (0, 0, 0)
    assert loss.within(0.0)


def test_pictures_are_compared_in_pairs() -> None:
    """Every picture loses a hundredth: far less than pictures differ from one another."""
    each = np.random.default_rng(0).random(40)
    loss = PairedBootstrap(Mean(each), 40, 200).loss(Mean(each - 0.01))
    assert loss.low == pytest.approx(0.01) and loss.high == pytest.approx(0.01)
    assert loss.within(0.011) and not loss.within(0.009)


def test_the_interval_is_as_wide_as_theory_says() -> None:
    random = np.random.default_rng(1)
    each, noise = random.random(400), random.normal(0.02, 0.1, 400)
    loss = PairedBootstrap(Mean(each), 400, 2000).loss(Mean(each - noise), 0.95)
    error = noise.std() / np.sqrt(400)
    assert loss.value == pytest.approx(noise.mean())
    assert loss.low == pytest.approx(noise.mean() - 1.96 * error, abs=0.1 * error)
    assert loss.high == pytest.approx(noise.mean() + 1.96 * error, abs=0.1 * error)
    # The point is inside a budget that the interval is not.
    assert loss.value < loss.high - error and not loss.within(loss.high - error)


def test_the_interval_holds_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        each, noise = random.random(60), random.normal(0.05, 0.2, 60)
        loss = PairedBootstrap(Mean(each), 60, 200).loss(Mean(each - noise), 0.8)
        held += loss.low <= 0.05 <= loss.high
    assert 0.7 < held / 200 < 0.9


def test_seed_resamples_and_confidence_matter() -> None:
    random = np.random.default_rng(3)
    each, worse = Mean(random.random(30)), Mean(random.random(30))
    first = PairedBootstrap(each, 30, 100, seed=1).loss(worse)
    assert PairedBootstrap(each, 30, 100, seed=1).loss(worse) == first
    assert PairedBootstrap(each, 30, 100, seed=2).loss(worse) != first
    narrow = PairedBootstrap(each, 30, 100, seed=1).loss(worse, 0.5)
    assert first.low < narrow.low < narrow.high < first.high
    assert "with 50% confidence between" in str(narrow)
    assert narrow.record()["loss"] == narrow.value


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="there is nothing to measure"):
        PairedBootstrap(Mean(np.full(3, np.nan)), 3)
    with pytest.raises(ValueError, match="at least one picture"):
        PairedBootstrap(Mean(np.ones(1)), 0)


def test_each_picture_alone() -> None:
    each = np.array([0.2, 0.7, 0.4])
    assert figure_of_each(Mean(each), 3) == pytest.approx(each)
