"""Scalars: curves keyed by (owner, metric, variant), one value an iteration."""

from __future__ import annotations

import hashlib
import math
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .. import clock
from ..store import Session
from . import blocks
from .selection import Selection, chosen

SINGLE = -(2**31)
"""The iteration under which the SDK reports a single value, one that belongs to no iteration."""

AXES = ("iter", "timestamp", "iso_time")
"""What may be asked for as the axis of curves."""


@dataclass
class Curve:
    """The points of one curve that came in one request."""

    metric: str
    variant: str
    points: dict[int, blocks.Point] = field(default_factory=dict)
    """Timestamp in ms and value, by iteration; a later report of an iteration replaces it."""


def write(db: Session, owner: str, curves: Iterable[Curve], last_metrics: dict[str, Any]) -> None:
    """Write points, and bring the summary of last, least and greatest values up to date.

    Args:
        db: The writer's session.
        owner: Whose curves they are.
        curves: The points.
        last_metrics: The owner's summary, changed in place: by MD5 of metric and of variant.
    """
    for curve in curves:
        series = _series(db, owner, curve.metric, curve.variant)
        replaced = blocks.put(db, series, curve.points)
        _summarize(db, series, curve, replaced, last_metrics)


def _series(db: Session, owner: str, metric: str, variant: str) -> int:
    sql = "SELECT id FROM series WHERE owner = ? AND metric = ? AND variant = ?"
    row = db.row(sql, (owner, metric, variant))
    if row is not None:
        return int(row[0])
    return db.insert_row(
        "INSERT INTO series (owner, metric, variant) VALUES (?, ?, ?)", (owner, metric, variant)
    )


def _summarize(
    db: Session,
    series: int,
    curve: Curve,
    replaced: list[float],
    last_metrics: dict[str, Any],
) -> None:
    known = [(i, value) for i, (_, value) in curve.points.items() if value == value]
    if not known:
        return
    slot = last_metrics.setdefault(digest(curve.metric), {})
    key = digest(curve.variant)
    old: dict[str, Any] | None = slot.get(key)
    lowest = min(known, key=_value)
    highest = max(known, key=_value)
    latest = max(known)
    if old is not None:
        lost = (old.get("min_value"), old.get("max_value"))
        # Older versions let infinities in, which are null in their summaries.
        again = None in lost or any(value in lost for value in replaced)
        found = blocks.extremes(db, series) if again else None
        if found is not None:
            lowest, highest = found
        else:
            lowest = min((old["min_value_iteration"], old["min_value"]), lowest, key=_value)
            highest = max((old["max_value_iteration"], old["max_value"]), highest, key=_value)
        if latest[0] < old["iteration"]:
            latest = (old["iteration"], old["value"])
    slot[key] = {
        "metric": curve.metric,
        "variant": curve.variant,
        "value": latest[1],
        "iteration": latest[0],
        "min_value": lowest[1],
        "min_value_iteration": lowest[0],
        "max_value": highest[1],
        "max_value_iteration": highest[0],
    }


def _value(point: tuple[int, float]) -> float:
    return point[1]


def digest(name: str) -> str:
    """The name under which clients look a metric or variant up in a summary."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def summaries_of(last_metrics: dict[str, Any], names: set[tuple[str, str]]) -> dict[str, Any]:
    """The part of an owner's summary that is about certain curves."""
    kept = {
        metric: {
            key: entry
            for key, entry in variants.items()
            if (entry["metric"], entry["variant"]) in names
        }
        for metric, variants in last_metrics.items()
    }
    return {metric: variants for metric, variants in kept.items() if variants}


def curves_of(
    db: Session, owner: str, wanted: Selection | None = None
) -> list[tuple[int, str, str]]:
    """The owner's curves as (number, metric, variant), by name."""
    rows = db.rows(
        "SELECT id, metric, variant FROM series WHERE owner = ? ORDER BY metric, variant", (owner,)
    )
    return [
        (number, metric, variant)
        for number, metric, variant in rows
        if chosen(wanted, metric, variant)
    ]


def histogram(
    db: Session, owner: str, *, key: str, samples: int, wanted: Selection | None = None
) -> dict[str, dict[str, Any]]:
    """Curves for plotting: `{metric: {variant: {name, x, y}}}`.

    Args:
        db: A session.
        owner: Whose curves.
        key: What x is: `iter`, `timestamp` (ms) or `iso_time`.
        samples: The most points of a curve; more are averaged over equal stretches of the axis.
            0 for all points.
        wanted: Which curves; all if empty.
    """
    answer: dict[str, dict[str, Any]] = defaultdict(dict)
    for number, metric, variant in curves_of(db, owner, wanted):
        points = _without_single(blocks.read(db, number))
        if len(points):
            x, y = _sampled(*_along(points, key), samples)
            answer[metric][variant] = {"name": variant, "x": _written(x, key), "y": y}
    return dict(answer)


def _without_single(points: blocks.Columns) -> blocks.Columns:
    if len(points) and points.iterations[0] == SINGLE:
        return points.part(1, len(points))
    return points


def _along(points: blocks.Columns, key: str) -> tuple[array[int], array[float]]:
    """The points' places on an axis, ascending, and their values."""
    if key == "iter":
        return points.iterations, points.values
    times = points.times
    listed = times.tolist()
    if listed == sorted(listed):
        return times, points.values
    order = sorted(range(len(times)), key=listed.__getitem__)
    return (
        array("q", (times[place] for place in order)),
        array("d", (points.values[place] for place in order)),
    )


def _sampled(
    x: array[int], y: array[float], samples: int
) -> tuple[Sequence[int], list[float | None]]:
    if samples <= 0 or len(x) <= samples:
        return x, [value if value == value else None for value in y]
    first, stretch = x[0], math.ceil((x[-1] - x[0] + 1) / samples)
    step, uneven = divmod(x[-1] - first, len(x) - 1)
    if not uneven and step and x == _even(first, x[-1], step):
        return _sampled_evenly(x, y, math.ceil(stretch / step))
    places: list[int] = []
    means: list[float | None] = []
    start = 0
    while start < len(x):
        beyond = first + ((x[start] - first) // stretch + 1) * stretch
        end = bisect_left(x, beyond, start)
        places.append(x[start])
        means.append(_mean(y[start:end]))
        start = end
    return places, means


@lru_cache(maxsize=2)
def _even(first: int, last: int, step: int) -> array[int]:
    """Numbers that stand equally far apart; a task's curves mostly share theirs."""
    return array("q", range(first, last + 1, step))


def _sampled_evenly(
    x: array[int], y: array[float], width: int
) -> tuple[Sequence[int], list[float | None]]:
    """The same for points that stand equally far apart: no looking for where a stretch ends."""
    whole = len(x) - len(x) % width
    values = iter(y[:whole])
    means = [total / width for total in map(sum, zip(*[values] * width, strict=True))]
    parts: list[float | None] = [
        mean if mean == mean else _mean(y[number * width : (number + 1) * width])
        for number, mean in enumerate(means)
    ]
    if whole < len(x):
        parts.append(_mean(y[whole:]))
    return x[::width], parts


def _mean(values: array[float]) -> float | None:
    total = sum(values)
    if total == total:
        return total / len(values)
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else None


def _written(x: Sequence[int], key: str) -> list[Any]:
    return [clock.from_ms(at) for at in x] if key == "iso_time" else list(x)


def raw(
    db: Session,
    owner: str,
    wanted: Selection,
    *,
    key: str,
    after: dict[str, int],
    limit: int,
) -> tuple[dict[str, Any], dict[str, int], int]:
    """The points of curves as they were reported, page by page.

    Args:
        db: A session.
        owner: Whose curves.
        wanted: Which curves.
        key: What to tell of each point beside its value, see `AXES`.
        after: Where the page before ended: the last iteration by number of the curve.
        limit: How many points, over all curves.

    Returns:
        The points by variant, where this page ended, and how many points it holds.
    """
    variants: dict[str, Any] = {}
    reached = dict(after)
    left = limit
    for number, _, variant in curves_of(db, owner, wanted):
        if left <= 0:
            break
        points = blocks.read_from(db, number, after.get(str(number), SINGLE), left)
        if not len(points):
            continue
        reached[str(number)] = points.iterations[-1]
        left -= len(points)
        x = points.iterations if key == "iter" else points.times
        y = [value if value == value else None for value in points.values]
        variants[variant] = {"name": variant, key: _written(x, key), "y": y}
    return variants, reached, limit - left


def latest_values(db: Session, owner: str) -> list[dict[str, Any]]:
    """The last value of each curve, and the mean of the last hundred, by metric."""
    metrics: dict[str, list[dict[str, Any]]] = {}
    for number, metric, variant in curves_of(db, owner):
        values = blocks.last(db, number, 100)
        if values:
            mean = sum(values) / len(values)
            row = {"name": variant, "last_value": values[0], "last_100_value": mean}
            metrics.setdefault(metric, []).append(row)
    return [{"name": name, "variants": rows} for name, rows in metrics.items()]


def single_values(db: Session, owner: str) -> list[dict[str, Any]]:
    """The single values an owner has reported."""
    found = []
    for number, metric, variant in curves_of(db, owner):
        points = blocks.read_from(db, number, SINGLE - 1, 1)
        if len(points) and points.iterations[0] == SINGLE:
            value = points.values[0]
            found.append(
                {
                    "metric": metric,
                    "variant": variant,
                    "value": value if value == value else None,
                    "timestamp": points.times[0],
                }
            )
    return found


def page(
    db: Session,
    owner: str,
    after: list[int] | None,
    limit: int,
    *,
    wanted: Selection | None = None,
    latest: bool = False,
) -> list[tuple[list[int], dict[str, Any]]]:
    """Points as events, by time, each with the key after which the next page begins."""
    names = {number: (metric, variant) for number, metric, variant in curves_of(db, owner, wanted)}
    start = (after[0], after[1], after[2]) if after else None
    found: list[tuple[list[int], dict[str, Any]]] = []
    for (time, number, iteration), value in blocks.by_time(db, names, start, latest=latest):
        if len(found) == limit:
            break
        metric, variant = names[number]
        found.append(
            (
                [time, number, iteration],
                {
                    "type": "training_stats_scalar",
                    "task": owner,
                    "metric": metric,
                    "variant": variant,
                    "iter": iteration,
                    "timestamp": time,
                    "value": value if value == value else None,
                },
            )
        )
    return found


def count(db: Session, owner: str, wanted: Selection | None = None) -> int:
    """How many points an owner has."""
    return blocks.count(db, (number for number, _, _ in curves_of(db, owner, wanted)))


def forget(db: Session, owner: str, wanted: Selection | None = None) -> int:
    """Remove curves of an owner; returns how many points went."""
    gone = 0
    for number, _, _ in curves_of(db, owner, wanted):
        gone += blocks.forget(db, number)
        db.run("DELETE FROM series WHERE id = ?", (number,))
    return gone
