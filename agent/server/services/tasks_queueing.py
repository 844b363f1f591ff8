"""Putting tasks on queues and taking them off."""

from __future__ import annotations

from ..documents import TASKS
from ..errors import ApiError, BadRequestError
from ..registry import Call, Data, Mode, action
from ..store import Document
from . import queues
from .tasks_clone import check_references
from .tasks_status import CREATED, QUEUED, STATUSES, check, each, move


def enqueue_task(call: Call, identity: str, queue: Document) -> Data:
    """Put a task at the end of a queue.

    A draft may be queued, and so may a stopped task: that is how the SDK hands a task that began
    on this machine over to an agent, and how a stopped one goes on. A task that an agent has taken
    and not begun may be put back. With `force` it may be any task; one that waits changes queues.
    With `update_execution_queue` false a queued task waits elsewhere and remembers its own queue.

    Raises:
        InvalidStatusError: The task is in another status.
        BadRequestError: It isn't queued and yet shall keep its queue.
    """
    task = call.db.require(TASKS, identity, heads={"execution"})
    keeps = not call.flag("update_execution_queue", True)
    force = call.flag("force")
    if keeps and task["status"] != QUEUED:
        raise BadRequestError(
            "update_execution_queue can't be false for a task that isn't queued: "
            f"task={identity}, status={task['status']}"
        )
    if not keeps and not (task["status"] == QUEUED and not _waits(call, identity)):
        check(task, "enqueue", force=force)
    call.db.run("DELETE FROM queue_entries WHERE task = ?", (identity,))
    queues.append(call, queue["id"], identity)
    more: Data = {}
    if task["status"] != QUEUED:
        more["enqueue_status"] = task["status"]
    if not keeps:
        more["execution"] = {**task.get("execution", {}), "queue": queue["id"]}
    fields = move(
        call, task, QUEUED, call.text("status_reason"), call.text("status_message"), **more
    )
    return {"queued": 1, "updated": 1, "fields": fields}


def _waits(call: Call, identity: str) -> bool:
    return call.db.row("SELECT 1 FROM queue_entries WHERE task = ?", (identity,)) is not None


def _validate(call: Call, identity: str) -> None:
    """Refuse a task that no agent could run.

    Raises:
        ApiError: There is no code in it.
        NotFoundError: What it refers to is gone.
    """
    task = call.db.require(TASKS, identity, heads={"script"})
    script = task.get("script") or {}
    if not script.get("entry_point") or not (script.get("repository") or script.get("diff")):
        raise ApiError(
            f"Task has nothing to run: id={identity} (script.entry_point, and script.repository or "
            "script.diff, are needed)",
            subcode=104,
        )
    check_references(call, task)


def dequeue_task(call: Call, identity: str) -> Data:
    """Take a task off its queue; it gets `new_status`, or else the status it had before.

    Raises:
        InvalidStatusError: It isn't queued.
        BadRequestError: There is no such status.
    """
    task = call.db.require(TASKS, identity, heads=())
    check(task, "dequeue")
    status = call.text("new_status") or task.get("enqueue_status") or CREATED
    if status not in STATUSES:
        raise BadRequestError(f"new_status must be one of {', '.join(STATUSES)}")
    fields = move(
        call,
        task,
        status,
        call.text("status_reason"),
        call.text("status_message"),
        enqueue_status=None,
    )
    return {"dequeued": 1, "updated": 1, "fields": fields}


@action("tasks.enqueue", mode=Mode.WRITE)
def enqueue(call: Call) -> Data:
    """Put a task on a queue."""
    queue = queues.target_queue(call)
    answer = enqueue_task(call, call.need("task"), queue)
    return {**answer, **_watched(call, queue)}


@action("tasks.enqueue_many", mode=Mode.WRITE)
def enqueue_many(call: Call) -> Data:
    """Put several tasks on a queue."""
    queue = queues.target_queue(call)

    def put(call: Call, identity: str) -> Data:
        if call.flag("validate_tasks"):
            _validate(call, identity)
        return {**enqueue_task(call, identity, queue), "queued": True}

    return {**each(call, put), **_watched(call, queue)}


@action("tasks.dequeue", mode=Mode.WRITE)
def dequeue(call: Call) -> Data:
    """Take a task off its queue."""
    return dequeue_task(call, call.need("task"))


@action("tasks.dequeue_many", mode=Mode.WRITE)
def dequeue_many(call: Call) -> Data:
    """Take several tasks off their queues."""

    def take(call: Call, identity: str) -> Data:
        return {**dequeue_task(call, identity), "dequeued": True}

    return each(call, take)


def _watched(call: Call, queue: Document) -> Data:
    if not call.flag("verify_watched_queue"):
        return {}
    return {"queue_watched": queues.is_watched(call, queue["id"])}
