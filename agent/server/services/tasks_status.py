"""The life cycle of a task: which status may follow which, and the actions that move it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import clock
from ..documents import PROJECTS, TASKS
from ..errors import ApiError, InvalidStatusError
from ..query import Where
from ..registry import Call, Data, Mode, action
from ..store import Document

CREATED = "created"
QUEUED = "queued"
IN_PROGRESS = "in_progress"
STOPPED = "stopped"
FAILED = "failed"
COMPLETED = "completed"
CLOSED = "closed"
PUBLISHED = "published"
UNKNOWN = "unknown"

STATUSES = (
    CREATED, QUEUED, IN_PROGRESS, STOPPED, COMPLETED, FAILED, CLOSED, PUBLISHED, UNKNOWN,
)  # fmt: skip
ENDED = frozenset({STOPPED, FAILED, COMPLETED, CLOSED, PUBLISHED})

LEGAL: dict[str, frozenset[str]] = {
    # A status may be said again: the SDK and the agent both report the end of a task.
    "started": frozenset({CREATED, QUEUED, IN_PROGRESS, UNKNOWN}),
    "stopped": frozenset({QUEUED, IN_PROGRESS, STOPPED, UNKNOWN}),
    "completed": frozenset({IN_PROGRESS, STOPPED, COMPLETED, UNKNOWN}),
    "failed": frozenset({CREATED, QUEUED, IN_PROGRESS, STOPPED, FAILED, UNKNOWN}),
    "closed": frozenset({IN_PROGRESS, STOPPED, COMPLETED, FAILED, CLOSED, UNKNOWN}),
    "publish": frozenset({STOPPED, FAILED, COMPLETED, CLOSED, PUBLISHED, UNKNOWN}),
    "stop": frozenset({QUEUED, IN_PROGRESS, UNKNOWN}),
    "enqueue": frozenset({CREATED, STOPPED, FAILED, UNKNOWN}),
    "dequeue": frozenset({QUEUED}),
    "reset": frozenset({CREATED, QUEUED, IN_PROGRESS, STOPPED, FAILED, COMPLETED, CLOSED, UNKNOWN}),
    "edit": frozenset({CREATED}),
    "delete": frozenset({CREATED, QUEUED, STOPPED, FAILED, COMPLETED, CLOSED, UNKNOWN}),
}
"""For each action, the statuses from which it needs no force."""

STOPPING = "stopping"
"""The message by which agents and the SDK learn that a running task shall stop."""

_LISTENING_SECONDS = 900
"""A running task that gave a sign of life within this time is expected to hear a stop."""


def check(task: Document, action_name: str, *, force: bool = False) -> None:
    """Refuse an action that the task's status doesn't allow.

    Raises:
        InvalidStatusError: It doesn't, and there is no force.
    """
    if not force and task["status"] not in LEGAL[action_name]:
        raise InvalidStatusError(task["id"], task["status"], action_name)


def move(
    call: Call,
    task: Document,
    status: str,
    reason: str | None = None,
    message: str | None = None,
    **more: Any,
) -> Data:
    """Give a task another status, with all that follows from it.

    Args:
        call: The call that asks for it.
        task: The task, as it is now.
        status: The new status.
        reason: Why, for people.
        message: What to say beside the status; agents read it too.
        more: Further fields to set.

    Returns:
        The fields that were set.
    """
    now = clock.now()
    fields: Data = {
        "status": status,
        "status_reason": reason or "",
        "status_message": message or "",
        "last_update": now,
        "last_change": now,
    }
    before = task["status"]
    if status != before:
        fields["status_changed"] = now
    if before == QUEUED and status != QUEUED:
        call.db.run("DELETE FROM queue_entries WHERE task = ?", (task["id"],))
    if status == IN_PROGRESS and before != IN_PROGRESS:
        fields.update(started=now, completed=None)
    elif before == IN_PROGRESS and status != IN_PROGRESS and task.get("started"):
        ran = max(0.0, time.time() - clock.seconds(task["started"]))
        fields["active_duration"] = int(task.get("active_duration", 0) + ran)
    if status in ENDED and not (before in ENDED and task.get("completed")):
        fields["completed"] = now
    fields.update(more)
    changed = call.db.patch(TASKS, task["id"], fields)
    if status != before and changed.get("project"):
        touch_project(call, changed["project"])
    return {name: value for name, value in fields.items() if value is not None}


def touch_project(call: Call, project: str) -> None:
    """Note that a task of a project has changed its status."""
    if call.db.exists(PROJECTS, project):
        call.db.patch(PROJECTS, project, {"last_update": clock.now()})


def _ask(call: Call, action_name: str, status: str) -> Data:
    task = call.db.require(TASKS, call.need("task"), heads=())
    check(task, action_name, force=call.flag("force"))
    fields = move(call, task, status, call.text("status_reason"), call.text("status_message"))
    return {"updated": 1, "fields": fields}


@action("tasks.started", mode=Mode.WRITE)
def started(call: Call) -> Data:
    """Say that a task runs.

    An agent says so several times on its way from the queue to the task's process; a request to
    stop that came in between must not be lost.
    """
    task = call.db.require(TASKS, call.need("task"), heads=())
    check(task, "started", force=call.flag("force"))
    if task["status"] == IN_PROGRESS and task.get("status_message", "").startswith(STOPPING):
        call.db.patch(TASKS, task["id"], {"last_update": clock.now()})
        return {"started": 1, "updated": 1, "fields": {}}
    reason, message = call.text("status_reason"), call.text("status_message")
    fields = move(call, task, IN_PROGRESS, reason, message)
    return {"started": 1, "updated": 1, "fields": fields}


@action("tasks.stopped", mode=Mode.WRITE)
def stopped(call: Call) -> Data:
    """Say that a task has stopped before its end."""
    return _ask(call, "stopped", STOPPED)


@action("tasks.failed", mode=Mode.WRITE)
def failed(call: Call) -> Data:
    """Say that a task has failed."""
    return _ask(call, "failed", FAILED)


@action("tasks.close", mode=Mode.WRITE)
def close(call: Call) -> Data:
    """Close a task."""
    return _ask(call, "closed", CLOSED)


@action("tasks.completed", mode=Mode.WRITE)
def completed(call: Call) -> Data:
    """Say that a task has come to its end, and publish it if that is asked for."""
    answer = _ask(call, "completed", COMPLETED)
    if not call.flag("publish"):
        return {**answer, "published": 0}
    return {**publish_task(call, call.need("task")), "published": 1}


@action("tasks.publish", mode=Mode.WRITE)
def publish(call: Call) -> Data:
    """Publish a task, and its output models unless told otherwise."""
    return publish_task(call, call.need("task"))


def publish_task(
    call: Call, identity: str, *, force: bool | None = None, models: bool | None = None
) -> Data:
    """Publish a task; the call's own `force` and `publish_model` count where none is given."""
    task = call.db.require(TASKS, identity, heads=())
    check(task, "publish", force=call.flag("force") if force is None else force)
    fields = move(
        call,
        task,
        PUBLISHED,
        call.text("status_reason"),
        call.text("status_message"),
        published=task.get("published") or clock.now(),
    )
    if call.flag("publish_model", True) if models is None else models:
        from .models_life import publish_models_of

        publish_models_of(call, task)
    return {"updated": 1, "fields": fields, "committed_versions_results": []}


@action("tasks.stop", mode=Mode.WRITE)
def stop(call: Call) -> Data:
    """Ask a task to stop."""
    return stop_task(call, call.need("task"))


def stop_task(call: Call, identity: str) -> Data:
    """Ask a task to stop.

    A running one is asked through its status message, and ends itself; one that nobody runs is
    stopped at once.
    """
    task = call.db.require(TASKS, identity, heads=())
    check(task, "stop", force=call.flag("force"))
    reason, message = call.text("status_reason"), call.text("status_message")
    if task["status"] != IN_PROGRESS or not _listening(task):
        return {"updated": 1, "fields": move(call, task, STOPPED, reason, message)}
    fields = {
        "status_reason": reason or "",
        "status_message": f"{STOPPING}: {message}" if message else STOPPING,
        "last_change": clock.now(),
    }
    call.db.patch(TASKS, identity, fields)
    return {"updated": 1, "fields": fields}


def _listening(task: Document) -> bool:
    return time.time() - clock.seconds(task["last_update"]) < _LISTENING_SECONDS


@action("tasks.ping", mode=Mode.WRITE)
def ping(call: Call) -> Data:
    """Note that a task is alive."""
    call.db.patch(TASKS, call.need("task"), {"last_update": clock.now()})
    return {}


def steps_of(call: Call, controllers: list[str]) -> list[str]:
    """The tasks that pipelines among some tasks have started."""
    where = Where(TASKS).among("parent", controllers)
    where.add("parent IN (SELECT id FROM tasks WHERE type = 'controller')")
    rows = call.db.rows(f"SELECT id FROM tasks WHERE {where.sql}", where.values)  # noqa: S608
    return [row[0] for row in rows]


def each(call: Call, work: Callable[[Call, str], Data]) -> Data:
    """Do something to each of `ids`; what fails is listed and doesn't hinder the others.

    With `include_pipeline_steps` it is done to the steps of pipelines among them first.
    """
    succeeded: list[Data] = []
    failures: list[Data] = []
    identities = call.texts("ids")
    if call.flag("include_pipeline_steps"):
        identities = [*steps_of(call, identities), *identities]
    for identity in dict.fromkeys(identities):
        call.db.run("SAVEPOINT one")
        try:
            succeeded.append({"id": identity, **work(call, identity)})
        except ApiError as error:
            call.db.run("ROLLBACK TO one")
            failures.append(
                {
                    "id": identity,
                    "error": {
                        "codes": [error.code, error.subcode],
                        "msg": error.message,
                        "data": error.data,
                    },
                }
            )
        call.db.run("RELEASE one")
    return {"succeeded": succeeded, "failed": failures}


@action("tasks.stop_many", mode=Mode.WRITE)
def stop_many(call: Call) -> Data:
    """Ask several tasks to stop."""
    return each(call, stop_task)


@action("tasks.publish_many", mode=Mode.WRITE)
def publish_many(call: Call) -> Data:
    """Publish several tasks."""
    return each(call, publish_task)
