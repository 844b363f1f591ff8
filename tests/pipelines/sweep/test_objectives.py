"""Figures of a trial's task: which count, and how they are found."""

from __future__ import annotations

from typing import Any

import pytest

from components.options import OptionError
from pipelines.sweep.objectives import (
    find,
    parse_constraints,
    parse_objectives,
    read_curve,
    read_figures,
)


def metric(title: str, series: str, value: Any) -> dict[str, Any]:
    return {"metric": title, "variant": series, "value": value}


METRICS = {
    "a": {"a": metric("Summary", "val/mAP", 0.5), "b": metric("Summary", "latency_ms", 12)},
    "b": {"a": metric("validation", "mAP", 0.4), "b": metric("validation", "recall", 0.7)},
    "c": {"a": metric("loss", "total", None)},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("val/mAP", 0.5),  # the best epoch's, not the last point of the curve
        ("validation/mAP", 0.4),
        ("val/recall", 0.7),
        ("latency_ms", 12.0),
        ("loss/total", None),
        ("val/precision", None),
    ],
)
def test_a_figure_is_a_single_value_or_the_end_of_a_curve(name: str, value: float | None) -> None:
    assert find(read_figures(METRICS), name) == value


def test_a_task_without_figures_has_none() -> None:
    assert read_figures(None) == read_figures({}) == {}


@pytest.mark.parametrize("name", ["val/mAP/small", "validation/mAP/small"])
def test_a_curve_is_found_by_either_name_without_what_is_not_a_number(name: str) -> None:
    points = {"x": [1, 2, 3], "y": [0.1, float("nan"), 0.3]}
    assert read_curve({"validation": {"mAP/small": points}}, name) == {1: 0.1, 3: 0.3}
    assert read_curve({"loss": {"total": points}}, name) == {}


def test_objectives_and_constraints_are_read_as_they_are_written() -> None:
    objectives = parse_objectives(["max val/mAP", " min ms a picture, onnx "], "")
    assert [str(one) for one in objectives] == ["max val/mAP", "min ms a picture, onnx"]
    assert [one.direction for one in objectives] == ["maximize", "minimize"]
    assert [str(one) for one in parse_objectives([], "val/mAP")] == ["max val/mAP"]
    low, high = parse_constraints(["latency_ms <= 20", "val/recall>=0.9"])
    assert (low.violation(25.0), high.violation(0.95)) == (5.0, pytest.approx(-0.05))


@pytest.mark.parametrize("given", [["max"], ["val/mAP"], ["min a", "max a"]])
def test_wrong_objectives_are_refused(given: list[str]) -> None:
    with pytest.raises(OptionError, match="objectives: "):
        parse_objectives(given, "")


@pytest.mark.parametrize("given", ["a", "a<3", "a<=b", "<=3", "a<=nan"])
def test_wrong_constraints_are_refused(given: str) -> None:
    with pytest.raises(OptionError, match="constraints: "):
        parse_constraints([given])
