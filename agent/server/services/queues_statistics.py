"""How long queues were, and how long tasks waited in them."""

from __future__ import annotations

import time

from ..documents import QUEUES
from ..intervals import Intervals, asked
from ..registry import Call, Data, Mode, action

KEPT = 30 * 24 * 3600
"""Seconds for which the past of queues and workers is kept."""


@action("queues.get_queue_metrics", mode=Mode.WRITE)
def get_queue_metrics(call: Call) -> Data:
    """Lengths and waiting times of queues, one point for each interval in which they changed."""
    intervals = asked(call)
    identities = call.texts("queue_ids")
    for identity in identities:
        call.db.require(QUEUES, identity)
    if call.flag("refresh"):
        _note(call)
    chosen = identities or [row[0] for row in call.db.rows("SELECT id FROM queues")]
    found = {identity: _points(call, intervals, identity) for identity in chosen}
    if identities:
        return {"queues": [_shown(intervals, name, found[name]) for name in identities]}
    together: dict[int, list[tuple[float, int]]] = {}
    for points in found.values():
        for number, point in points.items():
            together.setdefault(number, []).append(point)
    mean = {
        number: (
            sum(waiting for waiting, _ in points) / len(points),
            round(sum(length for _, length in points) / len(points)),
        )
        for number, points in together.items()
    }
    return {"queues": [_shown(intervals, "all", mean)]}


def _note(call: Call) -> None:
    """Write down how the queues are now."""
    now = time.time()
    call.db.run(
        "INSERT OR REPLACE INTO queue_history (queue, at, length, waiting) "
        "SELECT id, ?, COUNT(since), COALESCE(? - AVG(since), 0) "
        "FROM queues LEFT JOIN queue_entries ON queue = id GROUP BY id",
        (int(now), now),
    )


def _points(call: Call, intervals: Intervals, queue: str) -> dict[int, tuple[float, int]]:
    """The longest wait in each interval, with the length of the queue at that time."""
    points: dict[int, tuple[float, int]] = {}
    for at, length, waiting in call.db.rows(
        "SELECT at, length, waiting FROM queue_history WHERE queue = ? AND at >= ? AND at <= ?",
        (queue, intervals.start, intervals.end),
    ):
        number = intervals.number(at)
        points[number] = max(points.get(number, (0.0, 0)), (max(0.0, waiting), length))
    return points


def _shown(intervals: Intervals, name: str, points: dict[int, tuple[float, int]]) -> Data:
    order = sorted(points)
    return {
        "queue": name,
        "dates": [intervals.date(number) for number in order],
        "avg_waiting_times": [points[number][0] for number in order],
        "queue_lengths": [points[number][1] for number in order],
    }


def forget_past(call: Call) -> None:
    """Remove what is older than is kept."""
    limit = int(time.time() - KEPT)
    call.db.run("DELETE FROM queue_history WHERE at < ?", (limit,))
    call.db.run("DELETE FROM worker_reports WHERE at < ?", (limit,))
