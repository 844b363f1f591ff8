"""Scalars: curves keyed by (owner, metric, variant), one value an iteration."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..store import Session

SINGLE = -(2**31)
"""The iteration under which the SDK reports a single value, one that belongs to no iteration."""

Selection = dict[str, set[str]]
"""Metrics to look at, each with its variants; no variants means all. Empty means everything."""


@dataclass
class Curve:
    """The points of one curve that came in one request."""

    metric: str
    variant: str
    points: dict[int, tuple[int, float | None]] = field(default_factory=dict)
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
        overwritten = _existing(db, series, curve.points)
        db.connection.executemany(
            "INSERT OR REPLACE INTO scalars (series, iter, timestamp, value) VALUES (?, ?, ?, ?)",
            [(series, iteration, at, value) for iteration, (at, value) in curve.points.items()],
        )
        _summarize(db, series, curve, overwritten, last_metrics)


def _series(db: Session, owner: str, metric: str, variant: str) -> int:
    sql = "SELECT id FROM series WHERE owner = ? AND metric = ? AND variant = ?"
    row = db.row(sql, (owner, metric, variant))
    if row is not None:
        return int(row[0])
    return db.insert_row(
        "INSERT INTO series (owner, metric, variant) VALUES (?, ?, ?)", (owner, metric, variant)
    )


def _existing(db: Session, series: int, points: dict[int, Any]) -> list[float]:
    low, high = min(points), max(points)
    if not db.row("SELECT 1 FROM scalars WHERE series = ? AND iter BETWEEN ? AND ? LIMIT 1",
                  (series, low, high)):  # fmt: skip
        return []
    rows = (
        db.row("SELECT value FROM scalars WHERE series = ? AND iter = ?", (series, iteration))
        for iteration in points
    )
    return [row[0] for row in rows if row is not None and row[0] is not None]


def _summarize(
    db: Session,
    series: int,
    curve: Curve,
    overwritten: list[float],
    last_metrics: dict[str, Any],
) -> None:
    known = [(i, value) for i, (_, value) in curve.points.items() if value is not None]
    if not known:
        return
    slot = last_metrics.setdefault(digest(curve.metric), {})
    key = digest(curve.variant)
    old: dict[str, Any] | None = slot.get(key)
    lowest = min(known, key=lambda point: point[1])
    highest = max(known, key=lambda point: point[1])
    latest = max(known)
    if old is not None:
        lost = (old.get("min_value"), old.get("max_value"))
        if any(value in lost for value in overwritten):
            lowest, highest = _extremes(db, series)
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


def _extremes(db: Session, series: int) -> tuple[tuple[int, float], tuple[int, float]]:
    # SQLite takes the other columns from the row that holds the least or greatest value.
    lowest = db.rows("SELECT iter, MIN(value) FROM scalars WHERE series = ?", (series,))[0]
    highest = db.rows("SELECT iter, MAX(value) FROM scalars WHERE series = ?", (series,))[0]
    return (lowest[0], lowest[1]), (highest[0], highest[1])


def digest(name: str) -> str:
    """The name under which clients look a metric or variant up in a summary."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


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
        if not wanted or (metric in wanted and (not wanted[metric] or variant in wanted[metric]))
    ]


def histogram(
    db: Session, owner: str, *, key: str, samples: int, wanted: Selection | None = None
) -> dict[str, dict[str, Any]]:
    """Curves for plotting: `{metric: {variant: {name, x, y}}}`.

    Args:
        db: A session.
        owner: Whose curves.
        key: What x is: `iter`, `timestamp` (ms) or `iso_time`.
        samples: The most points of a curve; more are averaged over equal stretches of iterations.
            0 for all points.
        wanted: Which curves; all if empty.
    """
    answer: dict[str, dict[str, Any]] = defaultdict(dict)
    for number, metric, variant in curves_of(db, owner, wanted):
        points = _sampled(db, number, samples)
        if points:
            answer[metric][variant] = {
                "name": variant,
                "x": [_x(key, iteration, at) for iteration, at, _ in points],
                "y": [value for _, _, value in points],
            }
    return dict(answer)


def _sampled(db: Session, series: int, samples: int) -> list[tuple[int, int, float | None]]:
    count, first, last = db.rows(
        "SELECT COUNT(*), MIN(iter), MAX(iter) FROM scalars WHERE series = ? AND iter <> ?",
        (series, SINGLE),
    )[0]
    if not count:
        return []
    if samples <= 0 or count <= samples:
        return db.rows(
            "SELECT iter, timestamp, value FROM scalars WHERE series = ? AND iter <> ? "
            "ORDER BY iter",
            (series, SINGLE),
        )
    stretch = math.ceil((last - first + 1) / samples)
    return db.rows(
        "SELECT MIN(iter), MIN(timestamp), AVG(value) FROM scalars WHERE series = ? AND iter <> ? "
        "GROUP BY (iter - ?) / ? ORDER BY 1",
        (series, SINGLE, first, stretch),
    )


def _x(key: str, iteration: int, at: int) -> Any:
    if key == "timestamp":
        return at
    if key == "iso_time":
        from .. import clock

        return clock.from_seconds(at / 1000)
    return iteration


def single_values(db: Session, owner: str) -> list[dict[str, Any]]:
    """The single values an owner has reported."""
    return [
        {"metric": metric, "variant": variant, "value": value, "timestamp": at}
        for metric, variant, value, at in db.rows(
            "SELECT s.metric, s.variant, p.value, p.timestamp FROM series s "
            "JOIN scalars p ON p.series = s.id AND p.iter = ? WHERE s.owner = ? "
            "ORDER BY s.metric, s.variant",
            (SINGLE, owner),
        )
    ]


def page(
    db: Session, owner: str, after: list[int] | None, limit: int, *, metric: str | None = None
) -> list[tuple[list[int], dict[str, Any]]]:
    """Points as events, in order, each with the key after which the next page begins."""
    rows = db.rows(
        "SELECT s.id, p.iter, s.metric, s.variant, p.timestamp, p.value FROM series s "
        "JOIN scalars p ON p.series = s.id WHERE s.owner = ? AND (? IS NULL OR s.metric = ?) "
        "AND (s.id, p.iter) > (?, ?) ORDER BY s.id, p.iter LIMIT ?",
        (owner, metric, metric, *(after or [-1, SINGLE - 1]), limit),
    )
    return [
        (
            [series, iteration],
            {
                "type": "training_stats_scalar",
                "task": owner,
                "metric": found,
                "variant": variant,
                "iter": iteration,
                "timestamp": at,
                "value": value,
            },
        )
        for series, iteration, found, variant, at, value in rows
    ]


def count(db: Session, owner: str, metric: str | None = None) -> int:
    """How many points an owner has."""
    row = db.row(
        "SELECT COUNT(*) FROM series s JOIN scalars p ON p.series = s.id "
        "WHERE s.owner = ? AND (? IS NULL OR s.metric = ?)",
        (owner, metric, metric),
    )
    return int(row[0]) if row else 0


def forget(db: Session, owner: str) -> int:
    """Remove all curves of an owner; returns how many points went."""
    gone = db.run(
        "DELETE FROM scalars WHERE series IN (SELECT id FROM series WHERE owner = ?)", (owner,)
    )
    db.run("DELETE FROM series WHERE owner = ?", (owner,))
    return gone
