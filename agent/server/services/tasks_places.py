"""Where tasks are kept: in the archive, in public, shared, in another project."""

from __future__ import annotations

from ..documents import TASKS
from ..registry import Call, Data, Mode, action
from .projects import project_of
from .projects_contents import publicize
from .tasks import save
from .tasks_status import each

_SHARED = "shared"


def archive_task(call: Call, identity: str, archived: bool) -> None:
    """Set or take away the tag by which a task is archived; a queued one leaves its queue."""
    from .tasks_queueing import dequeue_task

    task = call.db.require(TASKS, identity, heads=())
    if archived and task["status"] == "queued":
        dequeue_task(call, identity)
    tags = [tag for tag in task.get("system_tags", []) if tag != "archived"]
    said = {name: call.text(name) for name in ("status_reason", "status_message")}
    save(
        call,
        identity,
        {
            "system_tags": [*tags, "archived"] if archived else tags,
            **{name: text for name, text in said.items() if text is not None},
        },
    )


@action("tasks.archive", mode=Mode.WRITE)
def archive(call: Call) -> Data:
    """Archive tasks."""
    for identity in call.texts("tasks"):
        archive_task(call, identity, True)
    return {"archived": len(call.texts("tasks"))}


@action("tasks.archive_many", mode=Mode.WRITE)
def archive_many(call: Call) -> Data:
    """Archive tasks, each for itself."""

    def put_away(call: Call, identity: str) -> Data:
        archive_task(call, identity, True)
        return {"archived": True}

    return each(call, put_away)


@action("tasks.unarchive_many", mode=Mode.WRITE)
def unarchive_many(call: Call) -> Data:
    """Take tasks out of the archive."""

    def take_out(call: Call, identity: str) -> Data:
        archive_task(call, identity, False)
        return {"unarchived": True}

    return each(call, take_out)


@action("tasks.move", mode=Mode.WRITE)
def move(call: Call) -> Data:
    """Move tasks to a project, by id or by name; a new name makes the project."""
    target = project_of(call)
    for identity in call.texts("ids"):
        call.db.require(TASKS, identity, heads=())
        save(call, identity, {"project": target})
    return {"project_id": target}


@action("tasks.make_public", mode=Mode.WRITE)
def make_public(call: Call) -> Data:
    """Take tasks out of the company: they belong to everyone."""
    return publicize(call, TASKS, public=True)


@action("tasks.make_private", mode=Mode.WRITE)
def make_private(call: Call) -> Data:
    """Give tasks back to the company."""
    return publicize(call, TASKS, public=False)


@action("tasks.share", mode=Mode.WRITE)
def share(call: Call) -> Data:
    """Mark tasks as shared, or take the mark away."""
    wanted, changed = call.flag("share", True), 0
    for identity in call.texts("tasks"):
        tags = call.db.require(TASKS, identity, heads=()).get("system_tags", [])
        if (_SHARED in tags) != wanted:
            kept = [tag for tag in tags if tag != _SHARED]
            save(call, identity, {"system_tags": [*kept, _SHARED] if wanted else kept})
            changed += 1
    return {"changed": changed}
