"""Taking events in: checked one by one, written owner by owner."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .. import clock
from ..documents import MODELS, TASKS, Collection
from ..encoding import loads, plain
from ..errors import BadRequestError
from ..store import Session
from . import blocks, logs, samples, scalars
from .selection import Selection

_LEVELS = {
    10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical",
}  # fmt: skip
_LIMIT = 2**53

SCALAR = "training_stats_scalar"
LOG = "log"


@dataclass
class _Batch:
    """The events of one owner in one request."""

    collection: Collection
    published: bool = False
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
            refused[error.reason] += 1
    for owner, batch in batches.items():
        _write(db, owner, batch)
    return added, refused


def _take(db: Session, batches: dict[str, _Batch], event: Any) -> None:
    if not isinstance(event, dict):
        raise BadRequestError("an event must be an object")
    owner = event.get("task") or event.get("model")
    if not isinstance(owner, str):
        raise BadRequestError("an event needs a task")
    owner = plain(owner)
    batch = batches.get(owner)
    if batch is None:
        collection = MODELS if event.get("model_event") else TASKS
        document = db.get(collection, owner, heads=())
        if document is None:
            raise BadRequestError(f"Invalid {collection.noun} id: {owner}")
        published = document.get("status") == "published" or document.get("ready") is True
        batch = batches[owner] = _Batch(collection, published)
    if batch.published and event.get("allow_locked") is not True:
        raise BadRequestError(f"the {batch.collection.noun} is published: {owner}")
    kind = event.get("type")
    at = _whole(event, "timestamp", clock.now_ms())
    if kind == LOG:
        if batch.collection is MODELS:
            raise BadRequestError("a model has no log")
        level = event.get("level")
        level = _LEVELS.get(level, level) if isinstance(level, int) else level
        worker = event.get("worker")
        message = event.get("msg")
        batch.lines.append(
            (
                at,
                plain(str(level).lower()) if level is not None else None,
                plain(str(worker)) if worker is not None else None,
                plain(str(message)) if message is not None else "",
            )
        )
        return
    metric, variant = _name(event, "metric"), _name(event, "variant")
    iteration = _whole(event, "iter", 0)
    if kind == SCALAR:
        value = event.get("value")
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise BadRequestError("a scalar's value must be a number")
        try:
            number = blocks.NOTHING if value is None else float(value)
        except OverflowError as error:
            raise BadRequestError("a scalar's value is out of range") from error
        curve = batch.curves.setdefault((metric, variant), scalars.Curve(metric, variant))
        # JSON has no infinities, so a summary could keep none, and the next report meets it.
        curve.points[iteration] = (at, number if math.isfinite(number) else blocks.NOTHING)
    elif kind in samples.TYPES:
        _check(event, kind)
        kept = {k: v for k, v in event.items() if k not in ("model_event", "allow_locked")}
        batch.samples.append(
            {**kept, "metric": metric, "variant": variant, "iter": iteration, "timestamp": at}
        )
    else:
        raise BadRequestError(f"unknown event type {kind!r}")
    if iteration != scalars.SINGLE:
        batch.iteration = max(iteration, batch.iteration or 0)


def _check(event: dict[str, Any], kind: str) -> None:
    text = event.get("plot_str")
    if kind == samples.PLOT and text is not None and not event.get("skip_validation"):
        try:
            loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise BadRequestError("plot_str is not JSON") from error


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
    db.patch(batch.collection, owner, changes)


def _name(event: dict[str, Any], key: str) -> str:
    value = event.get(key)
    if value is None:
        return ""
    return plain(str(value))


def _whole(event: dict[str, Any], key: str, default: int) -> int:
    value = event.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _LIMIT:
        raise BadRequestError(f"{key} must be a whole number")
    return int(value)


def forget(db: Session, owner: str, wanted: Selection | None = None) -> int:
    """Remove every event of an owner, or those of some metrics; returns how many."""
    gone = scalars.forget(db, owner, wanted) + samples.forget(db, owner, wanted=wanted)
    return gone if wanted else gone + logs.forget(db, owner)
