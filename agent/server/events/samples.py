"""Plots, debug images and vectors: one document for each metric, variant and iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..encoding import dumps, loads
from ..store import Session, marks
from .scalars import Selection

IMAGE = "training_debug_image"
PLOT = "plot"
VECTOR = "training_stats_vector"
TYPES = (IMAGE, PLOT, VECTOR)


def write(db: Session, owner: str, event: dict[str, Any]) -> None:
    """Write one event; it replaces that of the same metric, variant and iteration.

    A debug image also replaces earlier ones at the same address: the SDK keeps a limited number
    of files and writes new iterations over old ones.
    """
    kind, metric, variant = event["type"], event["metric"], event["variant"]
    url = event.get("url")
    if kind == IMAGE and url:
        db.run(
            "DELETE FROM samples WHERE owner = ? AND type = ? AND metric = ? AND variant = ? "
            "AND url = ?",
            (owner, kind, metric, variant, url),
        )
    db.run(
        "INSERT OR REPLACE INTO samples (owner, type, metric, variant, iter, timestamp, url, doc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (owner, kind, metric, variant, event["iter"], event["timestamp"], url, dumps(event)),
    )


def latest(
    db: Session, owners: Sequence[str], kind: str, iterations: int, wanted: Selection | None = None
) -> list[dict[str, Any]]:
    """The events of the last iterations of each metric and variant, earliest iteration first.

    Args:
        db: A session.
        owners: Whose events.
        kind: One of `TYPES`.
        iterations: How many iterations of each; 0 for all.
        wanted: Which metrics and variants; all if empty.
    """
    rows = db.rows(
        "SELECT doc, metric, variant FROM (SELECT doc, owner, metric, variant, iter, ROW_NUMBER() "  # noqa: S608
        "OVER (PARTITION BY owner, metric, variant ORDER BY iter DESC) AS age FROM samples "
        f"WHERE owner IN ({marks(owners)}) AND type = ?) WHERE ? = 0 OR age <= ? "
        "ORDER BY owner, metric, variant, iter",
        (*owners, kind, iterations, iterations),
    )
    return [
        loads(doc)
        for doc, metric, variant in rows
        if not wanted or (metric in wanted and (not wanted[metric] or variant in wanted[metric]))
    ]


def iterations(
    db: Session, owner: str, kind: str, metrics: Selection | None, limit: int, before: int | None
) -> list[tuple[int, list[dict[str, Any]]]]:
    """Events by iteration, the latest iteration first.

    Args:
        db: A session.
        owner: Whose events.
        kind: One of `TYPES`.
        metrics: Which metrics and variants; all if empty.
        limit: How many iterations.
        before: Only iterations before this one.
    """
    bound = 2**62 if before is None else before
    found: list[tuple[int, list[dict[str, Any]]]] = []
    for iteration, metric, variant, doc in db.connection.execute(
        "SELECT iter, metric, variant, doc FROM samples WHERE owner = ? AND type = ? AND iter < ? "
        "ORDER BY iter DESC, metric, variant",
        (owner, kind, bound),
    ):
        if metrics and (
            metric not in metrics or (metrics[metric] and variant not in metrics[metric])
        ):
            continue
        if not found or found[-1][0] != iteration:
            if len(found) == limit:
                break
            found.append((iteration, []))
        found[-1][1].append(loads(doc))
    return found


def page(
    db: Session, owner: str, kind: str, after: list[int] | None, limit: int
) -> list[tuple[list[int], dict[str, Any]]]:
    """Events by time, each with the key after which the next page begins."""
    rows = db.rows(
        "SELECT timestamp, id, doc FROM samples WHERE owner = ? AND type = ? "
        "AND (timestamp, id) > (?, ?) ORDER BY timestamp, id LIMIT ?",
        (owner, kind, *(after or [-(2**62), -1]), limit),
    )
    return [([at, number], loads(doc)) for at, number, doc in rows]


def count(db: Session, owner: str, kind: str) -> int:
    """How many events of a type an owner has."""
    row = db.row("SELECT COUNT(*) FROM samples WHERE owner = ? AND type = ?", (owner, kind))
    return int(row[0]) if row else 0


def metrics(db: Session, owner: str, kind: str) -> list[str]:
    """The metrics for which an owner has events of a type."""
    rows = db.rows(
        "SELECT DISTINCT metric FROM samples WHERE owner = ? AND type = ? ORDER BY 1", (owner, kind)
    )
    return [row[0] for row in rows]


def urls(db: Session, owner: str) -> list[str]:
    """The addresses of the files that an owner's events refer to."""
    rows = db.rows("SELECT DISTINCT url FROM samples WHERE owner = ? AND url IS NOT NULL", (owner,))
    return [row[0] for row in rows]


def forget(db: Session, owner: str) -> int:
    """Remove all events of an owner; returns how many."""
    return db.run("DELETE FROM samples WHERE owner = ?", (owner,))
