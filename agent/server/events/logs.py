"""Log lines, in the order of their time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..store import Session

Line = tuple[int, str | None, str | None, str]
"""Timestamp in ms, level, worker, message."""

_COLUMNS = "id, timestamp, level, worker, message"


def write(db: Session, owner: str, lines: Iterable[Line]) -> None:
    """Write lines."""
    db.connection.executemany(
        "INSERT INTO logs (owner, timestamp, level, worker, message) VALUES (?, ?, ?, ?, ?)",
        [(owner, *line) for line in lines],
    )


def read(
    db: Session, owner: str, *, earlier: bool, start: int | None, limit: int
) -> list[dict[str, Any]]:
    """Lines before a time, the latest first, or after it, the earliest first.

    Lines of one time are never parted: the page grows to hold them all, since the next one is
    asked for by time.

    Args:
        db: A session.
        owner: Whose log.
        earlier: Go back in time.
        start: The time in ms to go from, itself left out; None for the log's end or beginning.
        limit: How many lines.
    """
    comparison, way = ("<", "DESC") if earlier else (">", "ASC")
    bound = "" if start is None else f"AND timestamp {comparison} {int(start)}"
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM logs WHERE owner = ? {bound} "  # noqa: S608
        f"ORDER BY timestamp {way}, id {way} LIMIT ?",
        (owner, limit),
    )
    if len(rows) == limit and limit > 0:
        last, at = rows[-1][0], rows[-1][1]
        rows += db.rows(
            f"SELECT {_COLUMNS} FROM logs WHERE owner = ? AND timestamp = ? "  # noqa: S608
            f"AND id {comparison} ? ORDER BY id {way}",
            (owner, at, last),
        )
    return [_event(owner, row) for row in rows]


def page(
    db: Session, owner: str, after: list[int] | None, limit: int, *, latest: bool = False
) -> list[tuple[list[int], dict[str, Any]]]:
    """Lines by time, each with the key after which the next page begins."""
    comparison, way = ("<", "DESC") if latest else (">", "ASC")
    start = after or ([2**62, 2**62] if latest else [-(2**62), -1])
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM logs WHERE owner = ? AND (timestamp, id) {comparison} (?, ?) "  # noqa: S608
        f"ORDER BY timestamp {way}, id {way} LIMIT ?",
        (owner, *start, limit),
    )
    return [([row[1], row[0]], _event(owner, row)) for row in rows]


def _event(owner: str, row: tuple[Any, ...]) -> dict[str, Any]:
    _, at, level, worker, message = row
    return {
        "type": "log",
        "task": owner,
        "timestamp": at,
        "level": level,
        "worker": worker,
        "msg": message,
        "metric": "",
        "variant": "",
    }


def count(db: Session, owner: str, most: int) -> int:
    """How many lines an owner has, counted no further than `most`."""
    row = db.row("SELECT COUNT(*) FROM (SELECT 1 FROM logs WHERE owner = ? LIMIT ?)", (owner, most))
    return int(row[0]) if row else 0


def forget(db: Session, owner: str, before: int | None = None) -> int:
    """Remove the lines of an owner, or those before a time in ms; returns how many."""
    if before is None:
        return db.run("DELETE FROM logs WHERE owner = ?", (owner,))
    return db.run("DELETE FROM logs WHERE owner = ? AND timestamp < ?", (owner, before))
