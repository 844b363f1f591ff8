"""What workers have reported about their machines, and how many there were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from ..encoding import dumps, loads
from ..errors import BadRequestError
from ..intervals import Intervals, asked
from ..registry import Call, Data, Mode, action
from ..store import marks

_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
}


def note(call: Call, worker: str, at: int, task: str | None, stats: Data | None) -> None:
    """Keep a report, for the statistics."""
    kept = {name: value for name, value in (stats or {}).items() if _numbers(value)}
    call.db.run(
        "INSERT OR REPLACE INTO worker_reports (worker, at, task, stats) VALUES (?, ?, ?, ?)",
        (worker, at, task, dumps(kept) if kept else None),
    )


def _numbers(value: object) -> list[float]:
    values: list[object] = value if isinstance(value, list) else [value]
    numbers = [
        item for item in values if isinstance(item, (int, float)) and not isinstance(item, bool)
    ]
    return numbers if len(numbers) == len(values) else []


def _reports(
    call: Call, start: int, end: int, workers: list[str]
) -> Iterator[tuple[str, int, Data]]:
    """The reports with figures of a stretch of time: worker, seconds, figures."""
    chosen = f"AND worker IN ({marks(workers)})" if workers else ""
    for worker, at, stats in call.db.rows(
        "SELECT worker, at, stats FROM worker_reports "  # noqa: S608
        f"WHERE at >= ? AND at <= ? AND stats IS NOT NULL {chosen} ORDER BY at",
        (start, end, *workers),
    ):
        yield worker, at, loads(stats)


@action("workers.get_metric_keys", mode=Mode.SCAN)
def get_metric_keys(call: Call) -> Data:
    """The names of the figures that workers have reported, by kind: cpu, gpu, memory, ..."""
    names = {name for _, _, stats in _reports(call, 0, 2**40, call.texts("worker_ids"))
             for name in stats}  # fmt: skip
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        kinds[name.partition("_")[0]].append(name)
    return {
        "categories": [{"name": kind, "metric_keys": keys} for kind, keys in sorted(kinds.items())]
    }


def _asked_items(call: Call) -> dict[str, list[str]]:
    """The aggregations wanted of each figure."""
    wanted: dict[str, list[str]] = {}
    for item in call.tables("items"):
        key, kind = item.get("key"), item.get("category") or "avg"
        if not isinstance(key, str) or kind not in _AGGREGATIONS:
            raise BadRequestError("items: each needs a key, and a category of avg, min or max")
        if kind not in wanted.setdefault(key, []):
            wanted[key].append(kind)
    if not wanted:
        raise BadRequestError("items: at least one is needed")
    return wanted


@action("workers.get_stats", mode=Mode.SCAN)
def get_stats(call: Call) -> Data:
    """Figures of workers by interval: mean, least, greatest."""
    intervals, wanted = asked(call), _asked_items(call)
    split = call.flag("split_by_variant")
    # worker -> (figure, variant) -> interval -> values
    found: dict[str, dict[tuple[str, str | None], dict[int, list[float]]]] = {}
    for worker, at, stats in _reports(
        call, intervals.start, intervals.end, call.texts("worker_ids")
    ):
        figures = found.setdefault(worker, {})
        for key in wanted:
            for place, value in enumerate(_numbers(stats.get(key))):
                variant = str(place) if split else None
                points = figures.setdefault((key, variant), {})
                points.setdefault(intervals.number(at), []).append(value)
    return {
        "workers": [
            {"worker": worker, "metrics": [
                _metric(intervals, key, variant, points, wanted[key])
                for (key, variant), points in sorted(figures.items(), key=lambda item: str(item[0]))
            ]}
            for worker, figures in sorted(found.items())
        ]
    }  # fmt: skip


def _metric(
    intervals: Intervals,
    key: str,
    variant: str | None,
    points: dict[int, list[float]],
    kinds: list[str],
) -> Data:
    order = sorted(points)
    shown: Data = {
        "metric": key,
        "dates": [intervals.date(number) for number in order],
        "stats": [
            {"aggregation": kind, "values": [_AGGREGATIONS[kind](points[n]) for n in order]}
            for kind in kinds
        ],
    }
    return shown if variant is None else {**shown, "variant": variant}


@action("workers.get_activity_report", mode=Mode.SCAN)
def get_activity_report(call: Call) -> Data:
    """How many workers reported in each interval, and how many of them ran a task."""
    intervals = asked(call)
    seen: tuple[dict[int, set[str]], dict[int, set[str]]] = defaultdict(set), defaultdict(set)
    for worker, at, task in call.db.rows(
        "SELECT worker, at, task FROM worker_reports WHERE at >= ? AND at <= ?",
        (intervals.start, intervals.end),
    ):
        number = intervals.number(at)
        seen[0][number].add(worker)
        if task:
            seen[1][number].add(worker)
    total, active = (
        {
            "dates": [intervals.date(number) for number in range(len(intervals))],
            "counts": [len(workers.get(number, ())) for number in range(len(intervals))],
        }
        for workers in seen
    )
    return {"total": total, "active": active}
