"""Putting tasks on queues and taking them off."""

from __future__ import annotations

from ..documents import TASKS
from ..registry import Call, Data, Mode, action
from ..store import Document
from . import queues
from .tasks_status import CREATED, QUEUED, check, each, move


def enqueue_task(call: Call, identity: str, queue: Document) -> Data:
    """Put a task at the end of a queue.

    A draft may be queued, and so may a stopped task: that is how the SDK hands a task that began
    on this machine over to an agent, and how a stopped one goes on.

    Raises:
        InvalidStatusError: The task is in another status.
    """
    task = call.db.require(TASKS, identity, heads={"execution"})
    check(task, "enqueue")
    queues.append(call, queue["id"], identity)
    fields = move(
        call,
        task,
        QUEUED,
        call.text("status_reason"),
        call.text("status_message"),
        enqueue_status=task["status"],
        execution={**task.get("execution", {}), "queue": queue["id"]},
    )
    return {"queued": 1, "updated": 1, "fields": fields}


def dequeue_task(call: Call, identity: str) -> Data:
    """Take a task off its queue; it gets back the status it had before.

    Raises:
        InvalidStatusError: It isn't queued.
    """
    task = call.db.require(TASKS, identity, heads=())
    check(task, "dequeue")
    fields = move(
        call,
        task,
        task.get("enqueue_status") or CREATED,
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
