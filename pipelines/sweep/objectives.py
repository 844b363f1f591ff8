"""Objectives and constraints: which figures of a trial's task count, and how they are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components.options import OptionError

SINGLE = "Summary"
"""The title under which ClearML keeps single values."""
_CURVES = {"val": "validation"}
"""Titles of the curves whose last or best point a stage reports as a single value, by its split."""
_OBJECTIVE = re.compile(r"(max|min)\s+(\S.*)")
_CONSTRAINT = re.compile(r"(.+?)\s*(<=|>=)\s*(\S+)")


@dataclass(frozen=True)
class Objective:
    """A figure that shall be large or small."""

    name: str
    """Of a single value, or `title/series` of a curve."""
    largest: bool

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As Optuna says it."""
        return "maximize" if self.largest else "minimize"

    def __str__(self) -> str:
        """As it was written."""
        return f"{'max' if self.largest else 'min'} {self.name}"


@dataclass(frozen=True)
class Constraint:
    """A limit to a figure."""

    name: str
    at_most: bool
    limit: float

    def violation(self, value: float) -> float:
        """By how much a figure misses the limit; 0 or less if it keeps it."""
        return value - self.limit if self.at_most else self.limit - value

    def __str__(self) -> str:
        """As it was written."""
        return f"{self.name}{'<=' if self.at_most else '>='}{self.limit:g}"


def parse_objectives(given: Sequence[str], default: str) -> tuple[Objective, ...]:
    """Read objectives; the default one is a figure that shall be large.

    Raises:
        OptionError: one line for each mistake.
    """
    if not given and not default:
        raise OptionError("objectives is needed: what to look for, as 'max title/series'")
    found, problems = [], []
    for text in given or [f"max {default}"]:
        match = _OBJECTIVE.fullmatch(text.strip())
        if match:
            found.append(Objective(match[2], match[1] == "max"))
        else:
            problems.append(f"objectives: expected 'max NAME' or 'min NAME', got '{text}'")
    names = [one.name for one in found]
    problems += [f"objectives: {n} is there twice" for n in set(names) if names.count(n) > 1]
    if problems:
        raise OptionError("\n".join(problems))
    return tuple(found)


def parse_constraints(given: Sequence[str]) -> tuple[Constraint, ...]:
    """Read constraints.

    Raises:
        OptionError: one line for each mistake.
    """
    found, problems = [], []
    for text in given:
        match = _CONSTRAINT.fullmatch(text.strip())
        limit = _number(match[3]) if match else math.nan
        if match and math.isfinite(limit):
            found.append(Constraint(match[1], match[2] == "<=", limit))
        else:
            problems.append(f"constraints: expected NAME<=NUMBER or NAME>=NUMBER, got '{text}'")
    if problems:
        raise OptionError("\n".join(problems))
    return tuple(found)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_figures(last_metrics: Mapping[str, Any] | None) -> dict[str, float]:
    """Read the last value of everything that a task has reported.

    Args:
        last_metrics: of the task, by hashes of title and series.

    Returns:
        Single values by name, and curves by `title/series`.
    """
    curves: dict[str, float] = {}
    singles: dict[str, float] = {}
    for entry in _entries(last_metrics or {}):
        value = entry.get("value")
        if not isinstance(value, int | float):
            continue
        title, series = str(entry.get("metric")), str(entry.get("variant"))
        if title == SINGLE:
            singles[series] = float(value)
        curves[f"{title}/{series}"] = float(value)
    return {**curves, **singles}


def _entries(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for variants in table.values():
        if isinstance(variants, Mapping):
            yield from (entry for entry in variants.values() if isinstance(entry, Mapping))


def find(figures: Mapping[str, float], name: str) -> float | None:
    """Find a figure; one that isn't there as a single value may be the last point of its curve."""
    if name in figures:
        return figures[name]
    return next((figures[curve] for curve in _curve_names(name) if curve in figures), None)


def read_curve(histogram: Mapping[str, Any], name: str) -> dict[int, float]:
    """Find the curve of a figure.

    Args:
        histogram: the scalars of a task, by title and series.
        name: of the figure.

    Returns:
        Finite values by step; empty if there is no such curve.
    """
    for curve in (name, *_curve_names(name)):
        for cut in (at for at, letter in enumerate(curve) if letter == "/"):
            points = (histogram.get(curve[:cut]) or {}).get(curve[cut + 1 :])
            if points:
                pairs = zip(points["x"], points["y"], strict=True)
                return {int(x): float(y) for x, y in pairs if math.isfinite(float(y))}
    return {}


def _curve_names(name: str) -> Iterable[str]:
    split, slash, rest = name.partition("/")
    return (f"{_CURVES[split]}/{rest}",) if slash and split in _CURVES else ()
