"""Scalars: curves, raw points, last and single values."""

from __future__ import annotations

from ..errors import BadRequestError
from ..events import scalars
from ..events.scalars import SINGLE
from ..registry import Call, Data, Mode, action
from .events_requests import (
    TOTAL,
    encode_scroll,
    numbers_scrolled,
    owner_of,
    owners_of,
    paged,
    selection,
    table_scrolled,
)

SAMPLES = 6000
"""The most points of a curve, unless a request says otherwise."""

_RAW = 200_000


def _axis(call: Call) -> str:
    key = call.text("key") or "iter"
    if key not in scalars.AXES:
        raise BadRequestError(f"key must be one of {', '.join(scalars.AXES)}")
    return key


def _samples(call: Call) -> int:
    samples = call.integer("samples", SAMPLES)
    if samples < 0:
        raise BadRequestError("samples must be 0 (all points) or more")
    return samples


@action("events.scalar_metrics_iter_histogram", mode=Mode.SCAN)
def scalar_metrics_iter_histogram(call: Call) -> Data:
    """The curves of a task, thinned to `samples` points."""
    return scalars.histogram(
        call.db,
        owner_of(call),
        key=_axis(call),
        samples=_samples(call),
        wanted=selection(call.tables("metrics")),
    )


@action("events.multi_task_scalar_metrics_iter_histogram", mode=Mode.SCAN)
def multi_task_scalar_metrics_iter_histogram(call: Call) -> Data:
    """The curves of several tasks, side by side."""
    answer: Data = {}
    for identity, name in owners_of(call).items():
        curves = scalars.histogram(
            call.db,
            identity,
            key=_axis(call),
            samples=_samples(call),
            wanted=selection(call.tables("metrics")),
        )
        for metric, variants in curves.items():
            for variant, curve in variants.items():
                place = answer.setdefault(metric, {}).setdefault(variant, {})
                place[identity] = {**curve, "name": name}
    return answer


@action("events.scalar_metrics_iter_raw", mode=Mode.SCAN)
def scalar_metrics_iter_raw(call: Call) -> Data:
    """The points of a metric as they were reported, page by page."""
    owner, metric = owner_of(call), call.table("metric")
    if metric is None or not isinstance(metric.get("metric"), str):
        raise BadRequestError("metric must hold a metric's name, and may hold variants")
    wanted = selection([metric])
    limit = call.integer("batch_size", TOTAL)
    if not 1 <= limit <= _RAW:
        raise BadRequestError(f"batch_size must be from 1 to {_RAW}")
    after = {k: v for k, v in table_scrolled(call).items() if type(v) is int and abs(v) < 2**63}
    variants, reached, returned = scalars.raw(
        call.db, owner, wanted, key=_axis(call), after=after, limit=limit
    )
    return {
        "variants": variants,
        "returned": returned,
        "total": scalars.count(call.db, owner, wanted) if call.flag("count_total") else None,
        "scroll_id": encode_scroll(reached),
    }


@action("events.get_scalar_metrics_and_variants", mode=Mode.SCAN)
def get_scalar_metrics_and_variants(call: Call) -> Data:
    """The names of a task's curves."""
    found: dict[str, list[str]] = {}
    for _, metric, variant in scalars.curves_of(call.db, owner_of(call)):
        found.setdefault(metric, []).append(variant)
    return {"metrics": found}


@action("events.get_scalar_metric_data", mode=Mode.SCAN)
def get_scalar_metric_data(call: Call) -> Data:
    """The points of a metric, or of all of them, as events."""
    owner, metric = owner_of(call), call.text("metric")
    wanted = {metric: set[str]()} if metric is not None else None
    after = numbers_scrolled(call, 3)
    rows = scalars.page(call.db, owner, after, TOTAL, wanted=wanted)
    answer = paged(rows, scalars.count(call.db, owner, wanted), after)
    return {**answer, "scroll_id": None} if call.flag("no_scroll") else answer


@action("events.get_task_single_value_metrics", mode=Mode.SCAN)
def get_task_single_value_metrics(call: Call) -> Data:
    """The single values of several tasks."""
    return {
        "tasks": [
            {"task": owner, "task_name": name, "values": scalars.single_values(call.db, owner)}
            for owner, name in owners_of(call).items()
        ]
    }


@action("events.get_task_latest_scalar_values", mode=Mode.SCAN)
def get_task_latest_scalar_values(call: Call) -> Data:
    """The last value of each curve of a task, and the mean of its last hundred."""
    owner = owner_of(call)
    last = call.db.row("SELECT json_extract(doc, '$.last_iteration') FROM tasks WHERE id = ?",
                       (owner,))  # fmt: skip
    return {
        "metrics": scalars.latest_values(call.db, owner),
        "last_iteration": last[0] if last and last[0] != SINGLE else None,
    }
