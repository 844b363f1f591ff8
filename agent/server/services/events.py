"""Events: added in batches, read back as curves, lines, plots and images."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any

from ..documents import MODELS, TASKS
from ..encoding import dumps, loads
from ..errors import ApiError, BadRequestError, NotFoundError
from ..events import ingest, logs, samples, scalars
from ..registry import Call, Data, Mode, action

_TOTAL = 10_000
"""Totals are not told beyond this, as the API's description says."""


@action("events.add", mode=Mode.WRITE)
def add(call: Call) -> Data:
    """Add one event."""
    added, refused = ingest.add(call.db, [call.body])
    if not added:
        raise BadRequestError(next(iter(refused)))
    return {"added": added}


@action("events.add_batch", mode=Mode.WRITE)
def add_batch(call: Call) -> Data:
    """Add events, one a line. Those that are wrong are counted and don't hinder the others."""
    events = call.batch if call.batch is not None else [call.body]
    added, refused = ingest.add(call.db, events)
    return {"added": added, "errors": sum(refused.values()), "errors_info": dict(refused)}


def _owner(call: Call, key: str = "task") -> str:
    identity = call.need(key)
    collection = MODELS if call.flag("model_events") else TASKS
    if not call.db.exists(collection, identity):
        raise NotFoundError(collection.noun, identity)
    return identity


def selection(items: list[Data]) -> scalars.Selection:
    """Metrics with their variants, from a request's list."""
    wanted: scalars.Selection = {}
    for item in items:
        metric = item.get("metric")
        if not isinstance(metric, str):
            continue
        variants = item.get("variants") or []
        if not isinstance(variants, list):
            raise BadRequestError("variants must be a list")
        wanted.setdefault(metric, set()).update(str(variant) for variant in variants)
    return wanted


def encode_scroll(state: Any) -> str:
    """A scroll id that holds where the next page begins."""
    return base64.urlsafe_b64encode(dumps(state).encode()).decode()


def decode_scroll(call: Call) -> Any:
    """What a request's scroll id holds, or None."""
    scroll = call.text("scroll_id")
    if not scroll:
        return None
    try:
        return loads(base64.urlsafe_b64decode(scroll.encode()))
    except (binascii.Error, ValueError) as error:
        raise ApiError(f"Invalid scroll id: {scroll[:100]}", subcode=51) from error


def _after(call: Call) -> list[int] | None:
    state = decode_scroll(call)
    if state is None:
        return None
    if not (isinstance(state, list) and len(state) == 2 and all(type(n) is int for n in state)):
        raise ApiError("Invalid scroll id", subcode=51)
    return state


@action("events.scalar_metrics_iter_histogram", mode=Mode.SCAN)
def scalar_metrics_iter_histogram(call: Call) -> Data:
    """The curves of a task, thinned to `samples` points."""
    return scalars.histogram(
        call.db,
        _owner(call),
        key=_axis(call),
        samples=call.integer("samples", 6000),
        wanted=selection(call.tables("metrics")),
    )


def _axis(call: Call) -> str:
    key = call.text("key") or "iter"
    if key not in ("iter", "timestamp", "iso_time"):
        raise BadRequestError("key must be iter, timestamp or iso_time")
    return key


@action("events.multi_task_scalar_metrics_iter_histogram", mode=Mode.SCAN)
def multi_task_scalar_metrics_iter_histogram(call: Call) -> Data:
    """The curves of several tasks, side by side."""
    names = call.db.names(TASKS, call.texts("tasks"))
    answer: Data = {}
    for identity in call.texts("tasks")[:100]:
        curves = scalars.histogram(
            call.db,
            identity,
            key=_axis(call),
            samples=call.integer("samples", 6000),
            wanted=selection(call.tables("metrics")),
        )
        for metric, variants in curves.items():
            for variant, curve in variants.items():
                place = answer.setdefault(metric, {}).setdefault(variant, {})
                place[identity] = {**curve, "name": names.get(identity, identity)}
    return answer


@action("events.get_task_single_value_metrics", mode=Mode.SCAN)
def get_task_single_value_metrics(call: Call) -> Data:
    """The single values of several tasks."""
    return {
        "tasks": [
            {"task": identity, "values": scalars.single_values(call.db, identity)}
            for identity in call.texts("tasks")
        ]
    }


@action("events.get_task_latest_scalar_values", mode=Mode.SCAN)
def get_task_latest_scalar_values(call: Call) -> Data:
    """The last value of each curve of a task."""
    task = call.db.require(TASKS, call.need("task"), heads={"last_metrics"})
    metrics: dict[str, list[Data]] = {}
    for variants in task.get("last_metrics", {}).values():
        for entry in variants.values():
            row = {
                "name": entry["variant"],
                "last_value": entry["value"],
                "last_100_value": entry["value"],
            }
            metrics.setdefault(entry["metric"], []).append(row)
    return {"metrics": [{"name": name, "variants": rows} for name, rows in metrics.items()]}


@action("events.get_scalar_metrics_and_variants", mode=Mode.SCAN)
def get_scalar_metrics_and_variants(call: Call) -> Data:
    """The names of a task's curves."""
    found: dict[str, list[str]] = {}
    for _, metric, variant in scalars.curves_of(call.db, _owner(call)):
        found.setdefault(metric, []).append(variant)
    return {"metrics": found}


@action("events.get_scalar_metric_data", mode=Mode.SCAN)
def get_scalar_metric_data(call: Call) -> Data:
    """The points of a metric, as events."""
    owner, metric = _owner(call), call.need("metric")
    rows = scalars.page(call.db, owner, _after(call), _TOTAL, metric=metric)
    return _paged(rows, scalars.count(call.db, owner, metric))


def _paged(rows: list[tuple[list[int], Data]], total: int) -> Data:
    return {
        "events": [event for _, event in rows],
        "returned": len(rows),
        "total": total,
        "scroll_id": encode_scroll(rows[-1][0]) if rows else None,
    }


@action("events.get_task_events", mode=Mode.SCAN)
def get_task_events(call: Call) -> Data:
    """Scroll through a task's events of one type."""
    owner = _owner(call)
    kind = call.text("event_type") or "training_stats_scalar"
    limit = max(1, min(call.integer("batch_size", 500), _TOTAL))
    after = _after(call)
    if kind == "training_stats_scalar":
        answer = _paged(scalars.page(call.db, owner, after, limit), scalars.count(call.db, owner))
    elif kind == "log":
        answer = _paged(logs.page(call.db, owner, after, limit), logs.count(call.db, owner))
    else:
        rows = samples.page(call.db, owner, kind, after, limit)
        answer = _paged(rows, samples.count(call.db, owner, kind))
    if not answer["scroll_id"] and after is not None:
        answer["scroll_id"] = encode_scroll(after)
    return answer


@action("events.get_task_log", mode=Mode.SCAN)
def get_task_log(call: Call) -> Data:
    """The lines of a task's log around a time."""
    owner = _owner(call)
    earlier = call.flag("navigate_earlier", True)
    start = call.number("from_timestamp")
    order = call.text("order") or ("desc" if earlier else "asc")
    events = logs.read(
        call.db,
        owner,
        earlier=earlier,
        start=None if start is None else int(start),
        limit=max(0, call.integer("batch_size", 500)),
    )
    if (order == "desc") != earlier:
        events.reverse()
    total = min(logs.count(call.db, owner), _TOTAL)
    return {"events": events, "returned": len(events), "total": total}


@action("events.get_task_plots", mode=Mode.SCAN)
def get_task_plots(call: Call) -> Data:
    """The plots of a task, the last iterations of each."""
    plots = samples.latest(
        call.db,
        [_owner(call)],
        samples.PLOT,
        call.integer("iters", 1),
        selection(call.tables("metrics")),
    )
    return {"plots": plots, "returned": len(plots), "total": len(plots), "scroll_id": None}


@action("events.get_multi_task_plots", mode=Mode.SCAN)
def get_multi_task_plots(call: Call) -> Data:
    """The plots of several tasks: `{metric: {variant: {task: {name, plots}}}}`."""
    identities = call.texts("tasks")
    names = call.db.names(TASKS, identities)
    answer: Data = {}
    plots = samples.latest(call.db, identities, samples.PLOT, call.integer("iters", 1))
    for plot in plots:
        place = answer.setdefault(plot["metric"], {}).setdefault(plot["variant"], {})
        owner = plot["task"]
        entry = place.setdefault(owner, {"name": names.get(owner, owner), "plots": []})
        entry["plots"].append(plot)
    return {"plots": answer, "returned": len(plots), "total": len(plots), "scroll_id": None}


@action("events.debug_images", mode=Mode.SCAN)
def debug_images(call: Call) -> Data:
    """Debug images by task and iteration, the latest first."""
    return _by_iteration(call, samples.IMAGE)


@action("events.plots", mode=Mode.SCAN)
def plots(call: Call) -> Data:
    """Plots by task and iteration, the latest first."""
    return _by_iteration(call, samples.PLOT)


def _by_iteration(call: Call, kind: str) -> Data:
    wanted: dict[str, list[Data]] = {}
    for item in call.tables("metrics"):
        if not isinstance(item.get("task"), str):
            raise BadRequestError("metrics: each entry needs a task")
        wanted.setdefault(item["task"], []).append(item)
    state = decode_scroll(call)
    reached = state if isinstance(state, dict) and not call.flag("refresh") else {}
    answer = []
    for owner, items in wanted.items():
        before = reached.get(owner)
        found = samples.iterations(
            call.db,
            owner,
            kind,
            selection(items),
            max(1, call.integer("iters", 1)),
            before if type(before) is int else None,
        )
        if found:
            reached[owner] = found[-1][0]
        answer.append(
            {
                "task": owner,
                "iterations": [{"iter": number, "events": events} for number, events in found],
            }
        )
    return {"metrics": answer, "scroll_id": encode_scroll(reached)}


@action("events.get_task_metrics", mode=Mode.SCAN)
def get_task_metrics(call: Call) -> Data:
    """The metrics for which tasks have events of a type."""
    kind = call.text("event_type") or "training_stats_scalar"
    answer = []
    for identity in call.texts("tasks"):
        if kind == "training_stats_scalar":
            names = sorted({metric for _, metric, _ in scalars.curves_of(call.db, identity)})
        elif kind == "log":
            names = ["log"] if logs.count(call.db, identity) else []
        else:
            names = samples.metrics(call.db, identity, kind)
        answer.append({"task": identity, "metrics": names})
    return {"metrics": answer}


@action("events.clear_task_log", mode=Mode.WRITE)
def clear_task_log(call: Call) -> Data:
    """Remove a task's log, or what is older than `threshold_sec` seconds."""
    owner, keep = _owner(call), call.integer("threshold_sec", 0)
    before = int((time.time() - keep) * 1000) if keep > 0 else None
    return {"deleted": logs.forget(call.db, owner, before)}


@action("events.delete_for_task", mode=Mode.WRITE)
def delete_for_task(call: Call) -> Data:
    """Remove all events of a task."""
    ingest.forget(call.db, _owner(call))
    return {"deleted": True}


@action("events.delete_for_model", mode=Mode.WRITE)
def delete_for_model(call: Call) -> Data:
    """Remove all events of a model."""
    identity = call.need("model")
    call.db.require(MODELS, identity, heads=())
    ingest.forget(call.db, identity)
    return {"deleted": True}


@action("events.clear_scroll")
def clear_scroll(_: Call) -> Data:
    """Scroll ids hold all there is to them: nothing to clear."""
    return {}
