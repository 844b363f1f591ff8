"""Events as such: taken in, scrolled through, removed."""

from __future__ import annotations

from typing import Any

from ..documents import MODELS, TASKS, Collection
from ..errors import ApiError, BadRequestError
from ..events import ingest, logs, samples, scalars
from ..registry import Call, Data, Mode, action
from .events_requests import (
    TOTAL,
    encode_scroll,
    numbers_of,
    numbers_scrolled,
    owner_of,
    owners_of,
    paged,
    selection,
    table_scrolled,
    unlock,
)

KINDS = (ingest.SCALAR, samples.VECTOR, samples.IMAGE, samples.PLOT, ingest.LOG)


@action("events.add", mode=Mode.WRITE)
def add(call: Call) -> Data:
    """Add one event."""
    return _added(call, [call.body])


@action("events.add_batch", mode=Mode.WRITE)
def add_batch(call: Call) -> Data:
    """Add events, one a line. Those that are wrong are counted and don't hinder the others."""
    return _added(call, call.batch if call.batch is not None else [call.body])


def _added(call: Call, events: list[Any]) -> Data:
    """Take events in, and say what became of them.

    Raises:
        ApiError: All are wrong; a sender that looks at no count still learns of it.
    """
    added, refused = ingest.add(call.db, events)
    if refused and not added:
        raise ApiError(
            f"Events not added: {next(iter(refused))}", subcode=131, data={"errors": dict(refused)}
        )
    return {"added": added, "errors": sum(refused.values()), "errors_info": dict(refused)}


def is_descending(call: Call, default: str) -> bool:
    """Whether a request's `order` says the latest first."""
    order = call.text("order") or default
    if order not in ("asc", "desc"):
        raise BadRequestError("order must be asc or desc")
    return order == "desc"


def kind_of(call: Call) -> str:
    """The type of event that a request names."""
    kind = call.text("event_type") or ingest.SCALAR
    if kind not in KINDS:
        raise BadRequestError(f"event_type must be one of {', '.join(KINDS)}")
    return kind


@action("events.get_task_events", mode=Mode.SCAN)
def get_task_events(call: Call) -> Data:
    """Scroll through a task's events by time: those of one type, or all."""
    owner, latest = owner_of(call), is_descending(call, "asc")
    limit = max(1, min(call.integer("batch_size", 500), TOTAL))
    if not call.text("event_type"):
        return _events_of_all_types(call, owner, limit, latest=latest)
    kind = kind_of(call)
    after = numbers_scrolled(call, _key_length(kind))
    rows, total = _events(call, owner, kind, after, limit, latest=latest)
    return paged(rows, min(total, TOTAL), after)


def _events_of_all_types(call: Call, owner: str, limit: int, *, latest: bool) -> Data:
    """The next events of any type; the scroll id says how far each type has come."""
    reached = table_scrolled(call)
    found: list[tuple[list[int], str, Data]] = []
    total = 0
    for kind in KINDS:
        after = numbers_of(reached.get(kind), _key_length(kind))
        rows, count = _events(call, owner, kind, after, limit, latest=latest)
        found += [(key, kind, event) for key, event in rows]
        total += count
    found.sort(key=lambda each: each[0][0], reverse=latest)
    page = found[:limit]
    reached.update({kind: key for key, kind, _ in page})
    return {
        "events": [event for _, _, event in page],
        "returned": len(page),
        "total": min(total, TOTAL),
        "scroll_id": encode_scroll(reached) if reached else None,
    }


def _key_length(kind: str) -> int:
    """How many numbers say where an event of a type stands."""
    return 3 if kind == ingest.SCALAR else 2


def _events(
    call: Call, owner: str, kind: str, after: list[int] | None, limit: int, *, latest: bool
) -> tuple[list[tuple[list[int], Data]], int]:
    """Events of one type with their places, the time first, and how many there are of it."""
    if kind == ingest.SCALAR:
        rows = scalars.page(call.db, owner, after, limit, latest=latest)
        return rows, scalars.count(call.db, owner)
    if kind == ingest.LOG:
        rows = logs.page(call.db, owner, after, limit, latest=latest)
        return rows, logs.count(call.db, owner, TOTAL)
    rows = samples.page(call.db, owner, kind, after, limit, latest=latest)
    return rows, samples.count(call.db, owner, kind)


def _names(call: Call, owner: str, kind: str) -> list[tuple[str, str]]:
    if kind == ingest.SCALAR:
        return [(metric, variant) for _, metric, variant in scalars.curves_of(call.db, owner)]
    if kind == ingest.LOG:
        return [("log", "")] if logs.count(call.db, owner, 1) else []
    return samples.names(call.db, owner, kind)


@action("events.get_task_metrics", mode=Mode.SCAN)
def get_task_metrics(call: Call) -> Data:
    """The metrics for which tasks have events of a type."""
    kind = kind_of(call)
    return {
        "metrics": [
            {"task": owner, "metrics": sorted({metric for metric, _ in _names(call, owner, kind)})}
            for owner in owners_of(call)
        ]
    }


@action("events.get_multi_task_metrics", mode=Mode.SCAN)
def get_multi_task_metrics(call: Call) -> Data:
    """The metrics and variants that several tasks have between them."""
    kind = kind_of(call)
    found: dict[str, set[str]] = {}
    for owner in owners_of(call):
        for metric, variant in _names(call, owner, kind):
            found.setdefault(metric, set()).add(variant)
    return {
        "metrics": [
            {"metric": metric, "variants": sorted(variants)}
            for metric, variants in sorted(found.items())
        ]
    }


def _forget(call: Call, collection: Collection, identity: str) -> Data:
    unlock(call, collection, identity)
    ingest.forget(call.db, identity, selection(call.tables("metrics")))
    left = {(metric, variant) for _, metric, variant in scalars.curves_of(call.db, identity)}
    document = call.db.require(collection, identity, heads={"last_metrics"})
    kept = scalars.summaries_of(document.get("last_metrics", {}), left)
    call.db.patch(collection, identity, {"last_metrics": kept})
    return {"deleted": True}


@action("events.delete_for_task", mode=Mode.WRITE)
def delete_for_task(call: Call) -> Data:
    """Remove all events of a task, or those of `metrics`."""
    return _forget(call, TASKS, call.need("task"))


@action("events.delete_for_model", mode=Mode.WRITE)
def delete_for_model(call: Call) -> Data:
    """Remove all events of a model, or those of `metrics`."""
    return _forget(call, MODELS, call.need("model"))


@action("events.clear_scroll")
def clear_scroll(call: Call) -> Data:
    """Scroll ids hold all there is to them: nothing to clear."""
    call.need("scroll_id")
    return {}


@action("events.get_vector_metrics_and_variants", mode=Mode.SCAN)
def get_vector_metrics_and_variants(call: Call) -> Data:
    """The names of a task's vectors."""
    found: dict[str, list[str]] = {}
    for metric, variant in samples.names(call.db, owner_of(call), samples.VECTOR):
        found.setdefault(metric, []).append(variant)
    return {"metrics": [{"metric": name, "variants": rows} for name, rows in found.items()]}


@action("events.vector_metrics_iter_histogram", mode=Mode.SCAN)
def vector_metrics_iter_histogram(call: Call) -> Data:
    """The vectors of one metric and variant, by iteration."""
    wanted = {call.need("metric"): {call.need("variant")}}
    owner = owner_of(call)
    if len(found := samples.keys(call.db, owner, samples.VECTOR, wanted)) > TOTAL:
        raise ApiError(f"more than {TOTAL} vectors: scroll through events.get_task_events")
    events = samples.documents(call.db, found)
    return {
        "images": [
            {name: event.get(name) for name in ("metric", "variant", "iter", "timestamp", "values")}
            for event in events
        ]
    }
