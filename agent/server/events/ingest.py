"""Taking events in: checked one by one, written owner by owner."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .. import clock
from ..documents import MODELS, TASKS, Collection
from ..errors import BadRequestError
from ..store import Session
from . import logs, samples, scalars

_LEVELS = {
    10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical",
}  # fmt: skip
_LIMIT = 2**53


@dataclass
class _Batch:
    """The events of one owner in one request."""

    collection: Collection
    curves: dict[tuple[str, str], scalars.Curve] = field(default_factory=dict)
    lines: list[logs.Line] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    iteration: int | None = None


def add(db: Session, events: list[Any]) -> tuple[int, Counter[str]]:
    """Write events.

    Args:
        db: The writer's session.
        events: The events as they came.

    Returns:
        How many were written, and the reasons for which others weren't, counted.
    """
    batches: dict[str, _Batch] = {}
    refused: Counter[str] = Counter()
    added = 0
    for event in events:
        try:
            _take(db, batches, event)
            added += 1
        except BadRequestError as error:
            refused[error.message] += 1
    for owner, batch in batches.items():
        _write(db, owner, batch)
    return added, refused


def _take(db: Session, batches: dict[str, _Batch], event: Any) -> None:
    if not isinstance(event, dict):
        raise BadRequestError("an event must be an object")
    owner = event.get("task") or event.get("model")
    if not isinstance(owner, str):
        raise BadRequestError("an event needs a task")
    batch = batches.get(owner)
    if batch is None:
        collection = MODELS if event.get("model_event") else TASKS
        if not db.exists(collection, owner):
            raise BadRequestError(f"Invalid {collection.noun} id: {owner}")
        batch = batches[owner] = _Batch(collection)
    kind = event.get("type")
    at = _whole(event, "timestamp", clock.now_ms())
    if kind == "log":
        level = event.get("level")
        level = _LEVELS.get(level, level) if isinstance(level, int) else level
        worker = event.get("worker")
        message = event.get("msg")
        batch.lines.append(
            (
                at,
                str(level).lower() if level is not None else None,
                str(worker) if worker is not None else None,
                message if isinstance(message, str) else "" if message is None else str(message),
            )
        )
        return
    metric, variant = _name(event, "metric"), _name(event, "variant")
    iteration = _whole(event, "iter", 0)
    if kind == "training_stats_scalar":
        value = event.get("value")
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise BadRequestError("a scalar's value must be a number")
        number = None if value is None or value != value else float(value)
        curve = batch.curves.setdefault((metric, variant), scalars.Curve(metric, variant))
        curve.points[iteration] = (at, number)
    elif kind in samples.TYPES:
        kept = {k: v for k, v in event.items() if k not in ("model_event", "allow_locked")}
        batch.samples.append(
            {**kept, "metric": metric, "variant": variant, "iter": iteration, "timestamp": at}
        )
    else:
        raise BadRequestError(f"unknown event type {kind!r}")
    if iteration != scalars.SINGLE:
        batch.iteration = max(iteration, batch.iteration or 0)


def _write(db: Session, owner: str, batch: _Batch) -> None:
    now = clock.now()
    changes: dict[str, Any] = {"last_update": now}
    document = db.require(batch.collection, owner, heads={"last_metrics"} if batch.curves else ())
    if batch.curves:
        last_metrics = document.get("last_metrics", {})
        scalars.write(db, owner, batch.curves.values(), last_metrics)
        changes["last_metrics"] = last_metrics
    for event in batch.samples:
        samples.write(db, owner, event)
    if batch.lines:
        logs.write(db, owner, batch.lines)
    if batch.iteration is not None:
        changes["last_iteration"] = max(batch.iteration, document.get("last_iteration") or 0)
        changes["last_change"] = now
    if batch.collection is MODELS:
        changes.pop("last_metrics", None)
    db.patch(batch.collection, owner, changes)


def _name(event: dict[str, Any], key: str) -> str:
    value = event.get(key)
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _whole(event: dict[str, Any], key: str, default: int) -> int:
    value = event.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) >= _LIMIT:
        raise BadRequestError(f"{key} must be a whole number")
    return int(value)


def forget(db: Session, owner: str) -> int:
    """Remove every event of an owner; returns how many."""
    return scalars.forget(db, owner) + logs.forget(db, owner) + samples.forget(db, owner)
