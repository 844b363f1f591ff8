"""Workers: which agents there are, what they listen to and what they run."""

from __future__ import annotations

import math
import time
from typing import Any

from .. import clock
from ..documents import QUEUES, TASKS, WORKERS
from ..errors import BadRequestError
from ..patterns import compare, fold
from ..query import compile_filters
from ..registry import Call, Data, Mode, action
from ..store import Document
from .queues_statistics import forget_past
from .tasks_status import IN_PROGRESS
from .workers_statistics import note

_TIMEOUT = 600
"""Seconds without a report after which a worker that gave no other time is gone."""


_LAST_SEEN = 3600
"""Seconds without a report after which a worker isn't told of, unless a request says otherwise."""

_MILLISECONDS = 1e11
"""A time from here on is meant in milliseconds: in seconds it would be the year 5138."""

_FORGOTTEN = 24 * 3600
"""Seconds without a report after which nothing is kept of a worker."""


def alive(call: Call, last_seen: float | None = None) -> list[Document]:
    """The workers that have reported lately enough.

    Args:
        call: The request.
        last_seen: Seconds within which they must have reported, if that is less than the time
            after which each is taken to be gone.
    """
    now = time.time()
    return [
        worker
        for worker in call.db.select(WORKERS)
        if not worker.get("unregistered")
        and now - clock.seconds(worker["last_report_time"])
        <= min(last_seen or math.inf, worker.get("timeout") or _TIMEOUT)
    ]


@action("workers.register", mode=Mode.WRITE)
def register(call: Call) -> Data:
    """Add a worker, or say anew what it listens to."""
    identity = call.need("worker")
    _seen(
        call,
        identity,
        register_time=clock.now(),
        unregistered=None,
        timeout=call.integer("timeout", _TIMEOUT) or _TIMEOUT,
        queues=call.texts("queues"),
        tags=call.texts("tags"),
        system_tags=call.texts("system_tags"),
        task=None,
        queue=None,
    )
    return {}


@action("workers.unregister", mode=Mode.WRITE)
def unregister(call: Call) -> Data:
    """Take a worker away. Its runtime properties stay, for when it comes back."""
    identity = call.need("worker")
    worker = call.db.get(WORKERS, identity)
    if worker is not None and worker.get("runtime_properties"):
        call.db.patch(WORKERS, identity, {"unregistered": True, "task": None, "queue": None})
    elif worker is not None:
        call.db.delete(WORKERS, identity)
    return {}


def forget_silent(call: Call) -> None:
    """Remove workers that ended without a word long ago; service tasks leave many of them."""
    limit = clock.from_seconds(time.time() - _FORGOTTEN)
    for worker in call.db.select(WORKERS, "last_report_time < ?", (limit,)):
        if not worker.get("runtime_properties"):
            call.db.delete(WORKERS, worker["id"])
    forget_past(call)


@action("workers.status_report", mode=Mode.WRITE)
def status_report(call: Call) -> Data:
    """Note what a worker does and how its machine fares."""
    task, queue = call.text("task"), call.text("queue")
    fields: Data = {"task": task, "queue": queue, "unregistered": None}
    if call.body.get("queues") is not None:
        fields["queues"] = call.texts("queues")
    for name in ("tags", "system_tags"):
        if call.body.get(name) is not None:
            fields[name] = call.texts(name)
    stats = call.table("machine_stats")
    if stats is not None:
        fields["machine_stats"] = stats
    identity = call.need("worker")
    _seen(call, identity, **fields)
    note(call, identity, _reported(call), task, stats)
    found = call.db.get(TASKS, task, heads=()) if task else None
    if found is not None and found["status"] == IN_PROGRESS:
        now = clock.now()
        changes = {"last_worker": identity, "last_worker_report": now, "last_update": now}
        call.db.patch(TASKS, found["id"], changes)
    return {}


def _reported(call: Call) -> int:
    """When a report was made, in seconds; some agents give milliseconds. Never in the future."""
    at, now = call.number("timestamp"), time.time()
    if at is not None and at > _MILLISECONDS:
        at /= 1000
    return int(min(at, now) if at is not None and at > 0 else now)


def _seen(call: Call, identity: str, **fields: Any) -> None:
    now = clock.now()
    fields.update(last_report_time=now, last_activity_time=now, ip=call.address)
    if call.db.exists(WORKERS, identity):
        call.db.patch(WORKERS, identity, fields)
        return
    # After a restart of the server, or a long silence, a report is as good as a registration.
    first = {
        "id": identity,
        "register_time": now,
        "timeout": _TIMEOUT,
        "queues": [],
        "tags": [],
        "system_tags": [],
        "user": {"id": call.user.id, "name": call.user.name},
        "company": {"id": call.user.company, "name": ""},
    }
    call.db.insert(WORKERS, {**first, **fields})


def _matching(call: Call) -> list[Document]:
    """The live workers that a request asks for."""
    # Null, as 0, is no limit; to say nothing isn't.
    workers = alive(call, call.number("last_seen") if "last_seen" in call.body else _LAST_SEEN)
    pattern = call.text("worker_pattern")
    tagged = {name: call.body.get(name) for name in ("tags", "system_tags")}
    wanted = {**tagged, "id": call.body.get("ids")}
    where = compile_filters(WORKERS, {name: value for name, value in wanted.items() if value})
    if pattern:
        sql, values = compare("id", fold(pattern))
        where.add(sql, *values)
    if where.terms:
        allowed = {worker["id"] for worker in call.db.select(WORKERS, where.sql, where.values)}
        workers = [worker for worker in workers if worker["id"] in allowed]
    return workers


@action("workers.get_all", "workers.get_all_ex", mode=Mode.SCAN)
def get_all(call: Call) -> Data:
    """The live workers, with what each runs and listens to."""
    return {"workers": [_shown(call, worker) for worker in _matching(call)]}


@action("workers.get_count", mode=Mode.SCAN)
def get_count(call: Call) -> Data:
    """How many live workers there are."""
    return {"count": len(_matching(call))}


def _shown(call: Call, worker: Document) -> Data:
    names = ("id", "ip", "user", "company", "register_time", "last_activity_time",
             "last_report_time", "tags", "system_tags")  # fmt: skip
    shown: Data = {name: worker.get(name) for name in names}
    shown["key"] = f"worker_{worker['id']}"
    listed = [_queue(call, identity) for identity in worker.get("queues", [])]
    shown["queues"] = [queue for queue in listed if queue is not None]
    if worker.get("queue"):
        shown["queue"] = _queue(call, worker["queue"])
    task = call.db.get(TASKS, worker["task"], heads=()) if worker.get("task") else None
    if task is not None:
        ran = time.time() - clock.seconds(task["started"]) if task.get("started") else 0
        shown["task"] = {
            "id": task["id"],
            "name": task["name"],
            "running_time": int(max(0.0, ran) * 1000),
            "last_iteration": task.get("last_iteration", 0),
        }
        project = task.get("project")
        if project:
            row = call.db.row("SELECT name FROM projects WHERE id = ?", (project,))
            shown["project"] = {"id": project, "name": row[0] if row else None}
    return shown


def _queue(call: Call, identity: str) -> Data | None:
    queue = call.db.get(QUEUES, identity)
    if queue is None:
        return None
    first = call.db.row(
        "SELECT e.task, t.name FROM queue_entries e LEFT JOIN tasks t ON t.id = e.task "
        "WHERE e.queue = ? ORDER BY e.position LIMIT 1",
        (identity,),
    )
    count = call.db.row("SELECT COUNT(*) FROM queue_entries WHERE queue = ?", (identity,))
    return {
        "id": identity,
        "name": queue["name"],
        "next_task": {"id": first[0], "name": first[1]} if first else None,
        "num_tasks": count[0] if count else 0,
    }


@action("workers.get_runtime_properties")
def get_runtime_properties(call: Call) -> Data:
    """What an agent has noted about itself; entries with an expiry are left out after it."""
    worker = call.db.get(WORKERS, call.need("worker")) or {}
    now = time.time()
    return {
        "runtime_properties": [
            item
            for item in worker.get("runtime_properties", [])
            if not item.get("expiry") or item["expiry"] > now
        ]
    }


@action("workers.set_runtime_properties", mode=Mode.WRITE)
def set_runtime_properties(call: Call) -> Data:
    """Let an agent note something about itself; a null value takes an entry away."""
    identity = call.need("worker")
    worker = call.db.get(WORKERS, identity) or {}
    kept = {item["key"]: item for item in worker.get("runtime_properties", [])}
    added, removed = [], []
    for item in call.tables("runtime_properties"):
        key = item.get("key")
        if not isinstance(key, str):
            raise BadRequestError("a runtime property needs a key")
        if item.get("value") is None:
            removed.extend([key] if kept.pop(key, None) else [])
            continue
        kept[key] = {"key": key, "value": str(item["value"])}
        expiry = item.get("expiry")
        if isinstance(expiry, (int, float)) and expiry > 0:
            kept[key]["expiry"] = time.time() + expiry
        added.append(key)
    _seen(call, identity, runtime_properties=list(kept.values()))
    return {"added": added, "removed": removed}
