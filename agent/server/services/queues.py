"""Queues: what waits, in which order, and who comes for it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from .. import clock, projection
from ..documents import QUEUES, TASKS
from ..errors import ApiError, BadRequestError, NotFoundError, TakenError
from ..query import Where, has_tag, tag_text
from ..registry import Call, Data, Mode, action
from ..store import Document
from .listing import filters, page
from .metadata import delete_metadata, edit_metadata

DEFAULT = "default"

HIDDEN = "hidden"
"""The system tag of queues that are shown only to those who ask for hidden ones."""


def new_queue(call: Call, name: str, **more: Any) -> Document:
    """Make a queue.

    Raises:
        TakenError: There is one of this name.
    """
    if find_queue(call, name):
        raise TakenError(name)
    now = clock.now()
    queue = {
        "id": uuid.uuid4().hex,
        "name": name,
        "user": call.user.id,
        "company": call.user.company,
        "created": now,
        "last_update": now,
        "tags": [],
        "system_tags": [],
        "metadata": {},
        **more,
    }
    call.db.insert(QUEUES, queue)
    return queue


def find_queue(call: Call, name: str) -> Document | None:
    """The queue of this name."""
    found = call.db.select(QUEUES, "name = ?", (name,), limit=1)
    return found[0] if found else None


def default_queue(call: Call) -> Document:
    """The queue for tasks that name none."""
    tagged = call.db.select(QUEUES, has_tag("system_tags"), (tag_text(DEFAULT),), limit=1)
    if tagged:
        return tagged[0]
    return find_queue(call, DEFAULT) or new_queue(call, DEFAULT, system_tags=[DEFAULT])


def target_queue(call: Call) -> Document:
    """The queue that a call's `queue` or `queue_name` means; a new name makes a queue."""
    identity, name = call.text("queue"), call.text("queue_name")
    if identity and name:
        raise BadRequestError("give either queue or queue_name")
    if identity:
        return call.db.require(QUEUES, identity)
    if name:
        return find_queue(call, name) or new_queue(call, name)
    return default_queue(call)


def append(call: Call, queue: str, task: str) -> None:
    """Put a task at the end of a queue."""
    call.db.run(
        "INSERT INTO queue_entries (queue, position, task, added, since) VALUES (?, "
        "(SELECT COALESCE(MAX(position), 0) + 1 FROM queue_entries WHERE queue = ?), ?, ?, ?)",
        (queue, queue, task, clock.now(), time.time()),
    )


def entries(call: Call, queue: str, limit: int = -1) -> list[Data]:
    """The entries of a queue, the next one first."""
    return [
        {"task": task, "added": added}
        for task, added in call.db.rows(
            "SELECT task, added FROM queue_entries WHERE queue = ? ORDER BY position LIMIT ?",
            (queue, limit),
        )
    ]


def is_watched(call: Call, queue: str) -> bool:
    """Whether a live worker listens to a queue."""
    from .workers import alive

    return any(queue in worker.get("queues", []) for worker in alive(call))


def _shown(call: Call, queue: Document, limit: int) -> Document:
    return {**queue, "entries": entries(call, queue["id"], limit)}


def _limit(call: Call) -> int:
    return call.integer("max_task_entries", -1)


@action("queues.get_by_id")
def get_by_id(call: Call) -> Data:
    """One queue, with its entries."""
    return {"queue": _shown(call, call.db.require(QUEUES, call.need("queue")), _limit(call))}


def _wanted(call: Call) -> Where:
    where = filters(call, QUEUES)
    named = any(call.body.get(name) for name in ("id", "name", "system_tags"))
    if not call.flag("search_hidden") and not named:
        where.add(f"NOT {has_tag('system_tags')}", tag_text(HIDDEN))
    return where


@action("queues.get_all", mode=Mode.SCAN)
def get_all(call: Call) -> Data:
    """Queues by filter, each with its entries."""
    only = projection.names(call.body.get("only_fields"))
    answer = page(call, QUEUES, "queues", _wanted(call), only)
    if only is None or "entries" in projection.heads_of(only):
        answer["queues"] = [_shown(call, queue, _limit(call)) for queue in answer["queues"]]
    return answer


@action("queues.get_all_ex", mode=Mode.SCAN)
def get_all_ex(call: Call) -> Data:
    """Queues by filter, with their tasks' names and the workers that listen to them."""
    from .workers import alive

    only = projection.names(call.body.get("only_fields"))
    heads = None if only is None else projection.heads_of(only)
    answer = page(call, QUEUES, "queues", _wanted(call), only)
    listening = alive(call)
    tasks = [worker["task"] for worker in listening if worker.get("task")]
    names = call.db.names(TASKS, tasks)
    for queue in answer["queues"]:
        if heads is None or "entries" in heads:
            queue["entries"] = _named(call, entries(call, queue["id"], _limit(call)))
        if heads is None or "workers" in heads:
            queue["workers"] = [
                {
                    "key": f"worker_{worker['id']}",
                    "name": worker["id"],
                    "ip": worker.get("ip"),
                    "task": {"id": worker["task"], "name": names.get(worker["task"])}
                    if worker.get("task")
                    else None,
                }
                for worker in listening
                if queue["id"] in worker.get("queues", [])
            ]
    return answer


def _named(call: Call, waiting: list[Data]) -> list[Data]:
    names = call.db.names(TASKS, [entry["task"] for entry in waiting])
    return [
        {**entry, "task": {"id": entry["task"], "name": names.get(entry["task"])}}
        for entry in waiting
    ]


@action("queues.get_default", mode=Mode.WRITE)
def get_default(call: Call) -> Data:
    """The default queue."""
    queue = default_queue(call)
    return {"id": queue["id"], "name": queue["name"]}


def _checked(name: str) -> str:
    if not name.strip():
        raise BadRequestError("a queue needs a name")
    return name.strip()


@action("queues.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Make a queue."""
    name = _checked(call.need("name"))
    queue = new_queue(call, name, tags=call.texts("tags"), system_tags=call.texts("system_tags"))
    return {"id": queue["id"]}


@action("queues.update", mode=Mode.WRITE)
def update(call: Call) -> Data:
    """Rename or retag a queue."""
    queue = call.db.require(QUEUES, call.need("queue"))
    fields: Data = {}
    name = call.text("name")
    name = name if name is None else _checked(name)
    if name is not None and name != queue["name"]:
        if find_queue(call, name):
            raise TakenError(name)
        fields["name"] = name
    for key in ("tags", "system_tags"):
        if call.body.get(key) is not None:
            fields[key] = call.texts(key)
    if fields:
        call.db.patch(QUEUES, queue["id"], {**fields, "last_update": clock.now()})
    return {"updated": int(bool(fields)), "fields": fields}


@action("queues.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Remove a queue; one with entries only by force, and then its tasks become drafts again."""
    queue = call.db.require(QUEUES, call.need("queue"))
    waiting = entries(call, queue["id"])
    if waiting and not call.flag("force"):
        raise ApiError(f"Queue is not empty: id={queue['id']}", subcode=705)
    from .tasks_queueing import dequeue_task

    for entry in waiting:
        dequeue_task(call, entry["task"])
    call.db.delete(QUEUES, queue["id"])
    return {"deleted": 1}


@action("queues.add_task", mode=Mode.WRITE)
def add_task(call: Call) -> Data:
    """Put a task on a queue."""
    from .tasks_queueing import enqueue_task

    queue = call.db.require(QUEUES, call.need("queue"))
    enqueue_task(call, call.need("task"), queue)
    return {"added": 1}


@action("queues.get_next_task", mode=Mode.WRITE)
def get_next_task(call: Call) -> Data:
    """Take the next task off a queue; empty data if there is none."""
    queue = call.need("queue")
    row = call.db.row(
        "SELECT task, added, position FROM queue_entries WHERE queue = ? ORDER BY position LIMIT 1",
        (queue,),
    )
    if row is None:
        if not call.db.exists(QUEUES, queue):
            raise NotFoundError("queue", queue)
        return {}
    call.db.run("DELETE FROM queue_entries WHERE queue = ? AND position = ?", (queue, row[2]))
    answer: Data = {"entry": {"task": row[0], "added": row[1]}}
    if call.flag("get_task_info"):
        task = call.db.get(TASKS, row[0], heads=()) or {}
        answer["task_info"] = {
            "company": task.get("company", call.user.company),
            "user": task.get("user", call.user.id),
        }
    return answer


@action("queues.remove_task", mode=Mode.WRITE)
def remove_task(call: Call) -> Data:
    """Take a task off a queue; it becomes what it was before."""
    from .tasks_queueing import dequeue_task

    queue, task = call.need("queue"), call.need("task")
    _position(call, queue, task)
    dequeue_task(call, task)
    return {"removed": 1}


@action("queues.peek_task")
def peek_task(call: Call) -> Data:
    """The task that is next."""
    queue = call.db.require(QUEUES, call.need("queue"))
    found = entries(call, queue["id"], 1)
    return {"task": found[0]["task"] if found else None}


@action("queues.get_num_entries")
def get_num_entries(call: Call) -> Data:
    """How many tasks wait."""
    queue = call.db.require(QUEUES, call.need("queue"))
    row = call.db.row("SELECT COUNT(*) FROM queue_entries WHERE queue = ?", (queue["id"],))
    return {"num": row[0] if row else 0}


@action("queues.clear_queue", mode=Mode.WRITE)
def clear_queue(call: Call) -> Data:
    """Take all tasks off a queue; each becomes what it was before."""
    from .tasks_queueing import dequeue_task

    queue = call.db.require(QUEUES, call.need("queue"))
    waiting = entries(call, queue["id"])
    for entry in waiting:
        dequeue_task(call, entry["task"])
    return {"removed_tasks": [entry["task"] for entry in waiting]}


def _position(call: Call, queue: str, task: str) -> int:
    call.db.require(QUEUES, queue)
    order = [entry["task"] for entry in entries(call, queue)]
    if task not in order:
        raise ApiError(f"Task not in queue: task={task}, queue={queue}", subcode=704)
    return order.index(task)


def _reorder(call: Call, place: Callable[[int, int], int]) -> Data:
    queue, task = call.need("queue"), call.need("task")
    index = _position(call, queue, task)
    rows = call.db.rows(
        "SELECT position, task FROM queue_entries WHERE queue = ? ORDER BY position", (queue,)
    )
    order = [waiting for _, waiting in rows]
    order.pop(index)
    position = max(0, min(len(order), place(index, len(order))))
    order.insert(position, task)
    # Past the end first: two entries can't stand in one place, not even in between.
    beyond = rows[-1][0] + 1
    for numbers in (range(beyond, beyond + len(order)), range(1, len(order) + 1)):
        for number, waiting in zip(numbers, order, strict=True):
            call.db.run("UPDATE queue_entries SET position = ? WHERE task = ?", (number, waiting))
    return {"position": position}


@action("queues.move_task_forward", mode=Mode.WRITE)
def move_task_forward(call: Call) -> Data:
    """Move a task towards the front."""
    count = call.integer("count", 1)
    return _reorder(call, lambda index, _: index - count)


@action("queues.move_task_backward", mode=Mode.WRITE)
def move_task_backward(call: Call) -> Data:
    """Move a task towards the end."""
    count = call.integer("count", 1)
    return _reorder(call, lambda index, _: index + count)


@action("queues.move_task_to_front", mode=Mode.WRITE)
def move_task_to_front(call: Call) -> Data:
    """Make a task the next one."""
    return _reorder(call, lambda _, __: 0)


@action("queues.move_task_to_back", mode=Mode.WRITE)
def move_task_to_back(call: Call) -> Data:
    """Make a task the last one."""
    return _reorder(call, lambda _, last: last)


@action("queues.add_or_update_metadata", mode=Mode.WRITE)
def add_or_update_metadata(call: Call) -> Data:
    """Set entries of a queue's metadata."""
    return edit_metadata(call, QUEUES, call.need("queue"))


@action("queues.delete_metadata", mode=Mode.WRITE)
def remove_metadata(call: Call) -> Data:
    """Remove entries of a queue's metadata."""
    return delete_metadata(call, QUEUES, call.need("queue"))
