"""Cutting documents down to named fields."""

from __future__ import annotations

from typing import Any

import pytest

from agent.server.documents import TASKS
from agent.server.errors import BadRequestError
from agent.server.projection import heads, names, project

TASK: dict[str, Any] = {
    "id": "1",
    "name": "n",
    "runtime": {"version": "1", "a": {"b": 2}},
    "execution": {"queue": "q", "artifacts": [{"key": "k", "uri": "u"}]},
    "hyperparams": {"Args": {"lr.base": {"value": "1"}, "x": {"value": "2"}}},
}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["id"], {"id": "1"}),
        (["name"], {"id": "1", "name": "n"}),
        ("name", {"id": "1", "name": "n"}),
        (["runtime.version"], {"id": "1", "runtime": {"version": "1"}}),
        (["runtime.version", "runtime.a.b"], {"id": "1", "runtime": TASK["runtime"]}),
        # What is absent leaves the object that would hold it.
        (["runtime.none"], {"id": "1", "runtime": {}}),
        (["last_metrics.x.y"], {"id": "1", "last_metrics": {}}),
        (["comment", "parent"], {"id": "1"}),
        (["execution.artifacts.key"], {"id": "1", "execution": {"artifacts": [{"key": "k"}]}}),
        (["hyperparams.Args.lr%2Ebase"],
         {"id": "1", "hyperparams": {"Args": {"lr.base": {"value": "1"}}}}),
        (["name", "name.x"], {"id": "1", "name": "n"}),
        (["runtime", "runtime.version"], {"id": "1", "runtime": TASK["runtime"]}),
    ],
)  # fmt: skip
def test_projection(only: Any, expected: dict[str, Any]) -> None:
    assert project(TASKS, TASK, names(only)) == expected


def test_without_names_everything_is_shown_and_sections_are_never_missing() -> None:
    shown = project(TASKS, dict(TASK), names(None))
    assert shown["name"] == "n"
    assert shown["script"] == {}


def test_names_after_a_dash_are_left_out() -> None:
    shown = project(TASKS, {"id": "1", "name": "n", "output": {"a": 1, "b": 2}}, ["-output.a"])
    assert shown["name"] == "n"
    assert shown["output"] == {"b": 2}


@pytest.mark.parametrize(
    ("only", "expected"),
    [(None, None), (["a.b", "a.c", "d"], {"a", "d"}), (["-a"], None)],
)
def test_heads(only: list[str] | None, expected: set[str] | None) -> None:
    assert heads(only) == expected


@pytest.mark.parametrize("only", [5, [5], {"a": 1}])
def test_only_fields_must_be_names(only: Any) -> None:
    with pytest.raises(BadRequestError):
        names(only)
