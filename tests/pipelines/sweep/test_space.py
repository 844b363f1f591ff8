"""Spaces: what can be said of a searched option, and what is refused."""

from __future__ import annotations

import pytest

from components.options import OptionError
from pipelines.sweep.space import parse_space, texts

WHOLE = {"lr": False, "size": True, "kind": None, "bend": False}


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ({"lrr": "[1, 2]"}, "space.lrr: no such option, did you mean 'lr'?"),
        ({"lr": "{low: 1}"}, "space.lr: expected {low: …, high: …} with log or step, or [choices]"),
        ({"lr": "{low: 2, high: 1}"}, "space.lr: low is 2.0, which isn't below high, 1.0"),
        ({"lr": "{low: a, high: 1}"}, "space.lr: low: expected a number, got 'a'"),
        ({"lr": "{low: 0, high: inf}"}, "space.lr: high: expected a number, got 'inf'"),
        ({"lr": "{low: 0, high: 1, log: true}"}, "space.lr: a log range begins above 0, not at 0"),
        ({"lr": "{low: 1, high: 9, log: yep}"}, "space.lr: log: expected true|false, got 'yep'"),
        ({"lr": "{low: 1, high: 9, log: true, step: 1}"}, "a log range has no step"),
        ({"lr": "{low: 1, high: 2, step: 3}"}, "a step is above 0 and in the range"),
        ({"lr": "{low: 1, high: 2, stepp: 3}"}, "'stepp' isn't known, did you mean 'step'?"),
        ({"size": "{low: 1, high: 2.5}"}, "space.size: high: expected a whole number, got '2.5'"),
        ({"kind": "{low: 1, high: 2}"}, "space.kind: it takes no numbers, so name its choices"),
        ({"kind": "[a, a]"}, "space.kind: choices are at least two different values"),
        ({"kind": "[a"}, "space.kind: expected {low"),
        ({"kind": "{choices: [a, b], log: true}"}, "space.kind: choices have no 'log'"),
        ({"lr": "{low: 1, high: 2, when: {kind: a}}"}, "when: 'kind' isn't searched itself"),
        (
            {"lr": "{low: 1, high: 2, when: {kind: c}}", "kind": "[a, b]"},
            "space.lr: when: 'kind' is never 'c', but: a, b",
        ),
        (
            {"lr": "{low: 1, high: 2, when: {bend: 1}}", "bend": "{low: 1, high: 2}"},
            "space.lr: when: 'bend' takes any number; it has to have choices",
        ),
        (
            {
                "size": "{choices: [1, 2], when: {kind: a}}",
                "kind": "{choices: [a, b], when: {size: 1}}",
            },
            "space.size: when: it waits for itself",
        ),
        ({"lr": ""}, "space is needed"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(entries: dict[str, str], line: str) -> None:
    with pytest.raises(OptionError) as error:
        parse_space(entries, WHOLE)
    assert line in str(error.value)


def test_conditions_come_first_and_what_they_exclude_is_left_out() -> None:
    space = parse_space(
        {"lr": "{low: 1, high: 2, when: {kind: [a, b]}}", "kind": "[a, b, c]"}, WHOLE
    )
    assert space.names == ["kind", "lr"]
    probes = [drawn for name, drawn in space.probes() if name == "lr"]
    assert probes == [{"kind": "a", "lr": 1.0}, {"kind": "a", "lr": 2.0}]
    assert {"kind": "c"} in [drawn for _, drawn in space.probes()]


def test_every_mistake_is_said_at_once() -> None:
    with pytest.raises(OptionError) as error:
        parse_space({"lrr": "[1, 2]", "kind": "3"}, WHOLE)
    assert len(str(error.value).split("\n")) == 2


def test_values_are_written_as_people_would() -> None:
    drawn = {"a": 0.1 + 0.2, "b": 0.17933143614023547, "c": 3, "d": "x"}
    assert texts(drawn) == {"a": "0.3", "b": "0.17933143614023547", "c": "3", "d": "x"}


def test_a_range_ends_at_its_last_step() -> None:
    space = parse_space({"lr": "{low: 0, high: 1, step: 0.3}"}, WHOLE)
    assert space.dimensions[0].values() == [0.0, 0.3, 0.6, 0.9]
