from __future__ import annotations

import pytest

from models.training.options import ScheduleOptions
from models.training.schedule import rate


def rates(steps: int = 100, **options: object) -> list[float]:
    schedule = ScheduleOptions.model_validate(options)
    return [rate(schedule, step, steps) for step in range(steps + 1)]


@pytest.mark.parametrize("name", ["cosine", "linear", "constant", "multistep"])
def test_warmup_rises_evenly_and_reaches_the_peak(name: str) -> None:
    found = rates(name=name, warmup=0.1)
    assert found[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert found[10] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "cosine", "warmup": 0.0, "final": 0.2}, {0: 1.0, 50: 0.6, 100: 0.2}),
        ({"name": "linear", "warmup": 0.0, "final": 0.5}, {0: 1.0, 50: 0.75, 100: 0.5}),
        ({"name": "constant", "warmup": 0.0}, {0: 1.0, 50: 1.0, 100: 1.0}),
        (
            {"name": "multistep", "warmup": 0.0, "milestones": (0.3, 0.6), "gamma": 0.5},
            {0: 1.0, 29: 1.0, 30: 0.5, 60: 0.25, 100: 0.25},
        ),
    ],
)
def test_shape(options: dict[str, object], expected: dict[int, float]) -> None:
    found = rates(**options)
    assert {step: found[step] for step in expected} == pytest.approx(expected)


def test_onecycle_rises_and_falls_by_cosines() -> None:
    found = rates(name="onecycle", warmup=0.3, final=0.0)
    assert found[0] == pytest.approx(0.04 + 0.96 * 0.0026, abs=1e-3)
    assert found[:31] == sorted(found[:31]) and found[30:] == sorted(found[30:])[::-1]
    assert (found[30], found[65], found[100]) == pytest.approx((1.0, 0.5, 0.0))
    assert found[15] == pytest.approx(0.04 + 0.96 * 0.5, abs=0.03)


def test_plateaus_lower_the_rate_after_the_warmup() -> None:
    schedule = ScheduleOptions(name="plateau", warmup=0.1, gamma=0.5)
    assert [rate(schedule, 50, 100, plateaus) for plateaus in range(3)] == [1.0, 0.5, 0.25]
    assert rate(schedule, 4, 100, 2) == rate(schedule, 4, 100, 0) < 1.0


def test_one_step_is_enough() -> None:
    assert rates(steps=1, warmup=0.05)[0] == 1.0
    assert 0.0 < rates(steps=1, warmup=1.0)[0] <= 1.0
