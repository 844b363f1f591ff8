"""Plots, debug images and vectors: one document for each metric, variant and iteration.

A plot may be megabytes. So what is wanted is found by the keys alone, which an index holds, and
only then are the documents read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..encoding import dumps, loads, plain
from ..store import Session, marks
from .selection import Selection, chosen

IMAGE = "training_debug_image"
PLOT = "plot"
VECTOR = "training_stats_vector"
TYPES = (IMAGE, PLOT, VECTOR)

_CHUNK = 500


@dataclass(frozen=True, order=True)
class Key:
    """Where a sample stands among those of its owner: by iteration, then by name."""

    iteration: int
    metric: str
    variant: str
    number: int
    """Its row."""


def write(db: Session, owner: str, event: dict[str, Any]) -> None:
    """Write one event; it replaces that of the same metric, variant and iteration.

    A debug image also replaces earlier ones at the same address: the SDK keeps a limited number
    of files and writes new iterations over old ones.
    """
    kind, metric, variant = event["type"], event["metric"], event["variant"]
    url = event.get("url")
    url = plain(url) if isinstance(url, str) else None
    if kind == IMAGE and url:
        db.run(
            "DELETE FROM samples WHERE owner = ? AND type = ? AND metric = ? AND variant = ? "
            "AND url = ?",
            (owner, kind, metric, variant, url),
        )
    db.run(
        "INSERT OR REPLACE INTO samples (owner, type, metric, variant, iter, timestamp, url, doc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (owner, kind, metric, variant, event["iter"], event["timestamp"], url, plain(dumps(event))),
    )


def keys(db: Session, owner: str, kind: str, wanted: Selection | None = None) -> list[Key]:
    """The keys of an owner's samples of a type, in order."""
    rows = db.rows(
        "SELECT iter, metric, variant, id FROM samples WHERE owner = ? AND type = ?", (owner, kind)
    )
    return sorted(Key(*row) for row in rows if chosen(wanted, row[1], row[2]))


def documents(db: Session, found: Iterable[Key]) -> list[dict[str, Any]]:
    """The samples that keys stand for, in the order of the keys."""
    numbers = [key.number for key in found]
    texts: dict[int, str] = {}
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        texts.update(
            db.rows(f"SELECT id, doc FROM samples WHERE id IN ({marks(chunk)})", chunk)  # noqa: S608
        )
    return [loads(texts[number]) for number in numbers if number in texts]


def latest(
    db: Session, owner: str, kind: str, iterations: int, wanted: Selection | None = None
) -> list[Key]:
    """The samples of the last iterations of each metric and variant, by name and iteration.

    Args:
        db: A session.
        owner: Whose samples.
        kind: One of `TYPES`.
        iterations: How many iterations of each; 0 for all.
        wanted: Which metrics and variants; all if empty.
    """
    curves: dict[tuple[str, str], list[Key]] = {}
    for key in keys(db, owner, kind, wanted):
        curves.setdefault((key.metric, key.variant), []).append(key)
    return [key for name in sorted(curves) for key in curves[name][-iterations:]]


def iterations(
    found: Sequence[Key], limit: int, *, before: int | None = None, after: int | None = None
) -> list[tuple[int, list[Key]]]:
    """Samples by iteration: the latest iteration first, or onwards from one.

    Args:
        found: The keys, in order.
        limit: How many iterations.
        before: Only iterations before this one.
        after: Only iterations after this one, the earliest first.
    """
    groups = [
        (number, list(group))
        for number, group in groupby(found, key=lambda key: key.iteration)
        if (before is None or number < before) and (after is None or number > after)
    ]
    return groups[:limit] if after is not None else groups[::-1][:limit]


def page(
    db: Session, owner: str, kind: str, after: list[int] | None, limit: int, *, latest: bool = False
) -> list[tuple[list[int], dict[str, Any]]]:
    """Events by time, each with the key after which the next page begins."""
    comparison, way = ("<", "DESC") if latest else (">", "ASC")
    start = after or ([2**62, 2**62] if latest else [-(2**62), -1])
    rows = db.rows(
        "SELECT timestamp, id, doc FROM samples WHERE id IN ("  # noqa: S608
        f"SELECT id FROM samples WHERE owner = ? AND type = ? AND (timestamp, id) {comparison} "
        f"(?, ?) ORDER BY timestamp {way}, id {way} LIMIT ?) ORDER BY timestamp {way}, id {way}",
        (owner, kind, *start, limit),
    )
    return [([at, number], loads(doc)) for at, number, doc in rows]


def count(db: Session, owner: str, kind: str) -> int:
    """How many events of a type an owner has."""
    row = db.row("SELECT COUNT(*) FROM samples WHERE owner = ? AND type = ?", (owner, kind))
    return int(row[0]) if row else 0


def names(db: Session, owner: str, kind: str) -> list[tuple[str, str]]:
    """The metrics and variants for which an owner has events of a type."""
    rows = db.rows(
        "SELECT DISTINCT metric, variant FROM samples WHERE owner = ? AND type = ? ORDER BY 1, 2",
        (owner, kind),
    )
    return [(metric, variant) for metric, variant in rows]


def urls(db: Session, owner: str) -> list[str]:
    """The addresses of the files that an owner's events refer to."""
    rows = db.rows("SELECT DISTINCT url FROM samples WHERE owner = ? AND url IS NOT NULL", (owner,))
    plots = db.rows(
        "SELECT doc FROM samples WHERE owner = ? AND type = ? AND instr(doc, 'images') > 0",
        (owner, PLOT),
    )
    drawn = (url for (doc,) in plots for url in _drawn(loads(doc).get("plot_str")))
    return list(dict.fromkeys([*(row[0] for row in rows), *drawn]))


def _drawn(plot: Any) -> list[str]:
    """The addresses of the images in a plot; the SDK uploads figures that it can't take apart."""
    try:
        images = loads(plot)["layout"]["images"]
        found = [image["source"] for image in images if image.get("source")]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return []  # the text of a plot may be anything
    return [url for url in found if isinstance(url, str) and not url.startswith("data:")]


def forget(
    db: Session, owner: str, kinds: Sequence[str] = TYPES, wanted: Selection | None = None
) -> int:
    """Remove events of an owner; returns how many."""
    if not wanted:
        return db.run(
            f"DELETE FROM samples WHERE owner = ? AND type IN ({marks(kinds)})",  # noqa: S608
            (owner, *kinds),
        )
    numbers = [key.number for kind in kinds for key in keys(db, owner, kind, wanted)]
    for number in numbers:
        db.run("DELETE FROM samples WHERE id = ?", (number,))
    return len(numbers)
