"""Timing calls in blocks."""

from __future__ import annotations

import pytest

import models.runtimes.timing
from models.runtimes.timing import median_ms


def test_warm_up_and_pauses_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now, log = [0.0], []

    def call() -> None:
        log.append("call")
        now[0] += 9.0 if log[-4:].count("pause") else 0.005  # slow after a pause

    def sleep(seconds: float) -> None:
        log.append("pause")
        now[0] += seconds

    monkeypatch.setattr(models.runtimes.timing.time, "sleep", sleep)
    monkeypatch.setattr(models.runtimes.timing.time, "perf_counter", lambda: now[0])
    assert median_ms(call, calls=5, blocks=2) == pytest.approx(5.0)
    assert log.count("pause") == 2
    assert log.count("call") == 2 * (3 + 5)
