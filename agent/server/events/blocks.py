"""The points of curves, held in blocks of columns.

A block is one row with up to `SIZE` points of one curve, sorted by iteration: three packed arrays
for iterations, values and times. A curve of 100,000 points is read in 200 rows, and a batch of
reports is written in one or two.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the store makes our table
    from ..store import Session

SIZE = 512
NOTHING = float("nan")
"""How a value is kept that was reported as null, or as what JSON can't say."""

Point = tuple[int, float]
"""Timestamp in ms, and value."""

TABLE = """
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    count INTEGER NOT NULL, earliest INTEGER NOT NULL, latest INTEGER NOT NULL,
    iterations BLOB NOT NULL, vals BLOB NOT NULL, times BLOB NOT NULL, UNIQUE (series, first)
);
"""


@dataclass
class Columns:
    """Points side by side, in the order of their iterations."""

    iterations: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    times: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.iterations)

    def append(self, iteration: int, point: Point) -> None:
        """Add a point behind the others."""
        self.iterations.append(iteration)
        self.times.append(point[0])
        self.values.append(point[1])

    def take(self, iterations: bytes, values: bytes, times: bytes) -> None:
        """Add the points of a block behind the others."""
        self.iterations.frombytes(iterations)
        self.values.frombytes(values)
        self.times.frombytes(times)

    def part(self, start: int, end: int) -> Columns:
        """The points from one place up to another."""
        return Columns(self.iterations[start:end], self.values[start:end], self.times[start:end])


def put(db: Session, series: int, points: Mapping[int, Point]) -> list[float]:
    """Write points of a curve; one of an iteration that is there replaces it.

    Args:
        db: The writer's session.
        series: Number of the curve.
        points: The points by iteration; at least one.

    Returns:
        The values that were replaced.
    """
    order = sorted(points)
    row = db.row(
        "SELECT id, first, last, count FROM blocks WHERE series = ? ORDER BY first DESC LIMIT 1",
        (series,),
    )
    if row is None or order[0] > row[2]:
        held = Columns()
        if row is not None and row[3] < SIZE:
            held = _load(db, row[0])
            db.run("DELETE FROM blocks WHERE id = ?", (row[0],))
        for iteration in order:
            held.append(iteration, points[iteration])
        _store(db, series, held)
        return []
    return _merge(db, series, order, points)


def _merge(db: Session, series: int, order: list[int], points: Mapping[int, Point]) -> list[float]:
    rows = db.rows("SELECT first, id FROM blocks WHERE series = ? ORDER BY first", (series,))
    firsts = [first for first, _ in rows]
    touched: dict[int, list[int]] = {}
    for iteration in order:
        place = max(0, bisect_right(firsts, iteration) - 1)
        touched.setdefault(rows[place][1], []).append(iteration)
    replaced: list[float] = []
    for block, iterations in touched.items():
        held = _load(db, block)
        known = dict(zip(held.iterations, zip(held.times, held.values, strict=True), strict=True))
        for iteration in iterations:
            old = known.get(iteration)
            if old is not None and old[1] == old[1]:
                replaced.append(old[1])
            known[iteration] = points[iteration]
        merged = Columns()
        for iteration in sorted(known):
            merged.append(iteration, known[iteration])
        db.run("DELETE FROM blocks WHERE id = ?", (block,))
        _store(db, series, merged)
    return replaced


def _load(db: Session, block: int) -> Columns:
    held = Columns()
    row = db.row("SELECT iterations, vals, times FROM blocks WHERE id = ?", (block,))
    if row is not None:
        held.take(*row)
    return held


def _store(db: Session, series: int, points: Columns) -> None:
    db.connection.executemany(INSERT, rows(series, points))


INSERT = (
    "INSERT INTO blocks (series, first, last, count, earliest, latest, iterations, vals, times) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def rows(series: int, points: Columns) -> Iterator[tuple[Any, ...]]:
    """The points of a curve as rows for `INSERT`."""
    for start in range(0, len(points), SIZE):
        yield _row(series, points.part(start, start + SIZE))


def _row(series: int, held: Columns) -> tuple[Any, ...]:
    return (
        series, held.iterations[0], held.iterations[-1], len(held), min(held.times),
        max(held.times), held.iterations.tobytes(), held.values.tobytes(), held.times.tobytes(),
    )  # fmt: skip


def read(db: Session, series: int) -> Columns:
    """All points of a curve."""
    found = Columns()
    for row in db.connection.execute(
        "SELECT iterations, vals, times FROM blocks WHERE series = ? ORDER BY first", (series,)
    ):
        found.take(*row)
    return found


def read_from(db: Session, series: int, after: int, limit: int) -> Columns:
    """The points of a curve beyond an iteration, at most so many."""
    found = Columns()
    for row in db.connection.execute(
        "SELECT iterations, vals, times FROM blocks WHERE series = ? AND last > ? ORDER BY first",
        (series, after),
    ):
        found.take(*row)
        if len(found) >= limit + SIZE:
            break
    start = bisect_right(found.iterations, after)
    return found.part(start, start + limit)


def last(db: Session, series: int, count: int) -> list[float]:
    """The last values of a curve that are numbers, the latest first."""
    found: list[float] = []
    for (text,) in db.connection.execute(
        "SELECT vals FROM blocks WHERE series = ? ORDER BY first DESC", (series,)
    ):
        values = array("d")
        values.frombytes(text)
        found += [value for value in reversed(values) if value == value]
        if len(found) >= count:
            break
    return found[:count]


def extremes(db: Session, series: int) -> tuple[tuple[int, float], tuple[int, float]] | None:
    """The points with the least and the greatest value; None if no value is a number."""
    found = read(db, series)
    known = [
        (value, iteration)
        for iteration, value in zip(found.iterations, found.values, strict=True)
        if math.isfinite(value)
    ]
    if not known:
        return None
    lowest = min(known)
    greatest = max(known, key=lambda pair: pair[0])
    return (lowest[1], lowest[0]), (greatest[1], greatest[0])


def count(db: Session, series: Iterable[int]) -> int:
    """How many points some curves have."""
    total = 0
    for number in series:
        row = db.row("SELECT SUM(count) FROM blocks WHERE series = ?", (number,))
        total += int(row[0] or 0) if row else 0
    return total


def by_time(
    db: Session, series: Mapping[int, Any], after: tuple[int, int, int] | None, *, latest: bool
) -> Iterator[tuple[tuple[int, int, int], float]]:
    """Points of several curves in the order of their time.

    Blocks are read as their turn comes: a page costs what it holds, however long the curves are.

    Args:
        db: A session.
        series: Numbers of the curves.
        after: The key of the point after which to begin.
        latest: Go from the latest to the earliest.

    Yields:
        The key (time, curve, iteration) and the value of each point.
    """
    sign = -1 if latest else 1
    waiting = sorted(
        (sign * (newest if latest else oldest), block, number)
        for number in series
        for block, oldest, newest in db.rows(
            "SELECT id, earliest, latest FROM blocks WHERE series = ?", (number,)
        )
        if after is None or (newest >= after[0] if not latest else oldest <= after[0])
    )
    held: list[tuple[tuple[int, int, int], float]] = []
    for place, (_, block, number) in enumerate(waiting):
        points = _load(db, block)
        held += (
            ((time, number, iteration), value)
            for iteration, value, time in zip(
                points.iterations, points.values, points.times, strict=True
            )
            if after is None
            or ((time, number, iteration) < after if latest else (time, number, iteration) > after)
        )
        following = waiting[place + 1][0] if place + 1 < len(waiting) else None
        ready = [p for p in held if following is None or sign * p[0][0] < following]
        if ready:
            held = [p for p in held if following is not None and sign * p[0][0] >= following]
            yield from sorted(ready, key=lambda pair: pair[0], reverse=latest)


def forget(db: Session, series: int) -> int:
    """Remove all points of a curve; returns how many."""
    gone = count(db, [series])
    db.run("DELETE FROM blocks WHERE series = ?", (series,))
    return gone
