"""What becomes of models: published, archived, moved, deleted."""

from __future__ import annotations

from typing import Any

from .. import removals
from ..documents import INPUTS, MODELS, TASKS
from ..errors import ApiError, NotFoundError
from ..registry import Call, Data, Mode, action
from ..schema import index_name
from ..store import Document
from .models import save
from .projects import project_of
from .projects_contents import publicize
from .tasks_status import check, each, publish_task


def publish_models_of(call: Call, task: Document) -> None:
    """Make a task's output models ready."""
    for item in (task.get("models") or {}).get("output") or []:
        if call.db.exists(MODELS, item.get("model", "")):
            save(call, item["model"], {"ready": True})


@action("models.set_ready", mode=Mode.WRITE)
def set_ready(call: Call) -> Data:
    """Publish a model, and the task that made it if it can be."""
    return publish_model(call, call.need("model"), call.flag("publish_task", True))


def publish_model(call: Call, identity: str, with_task: bool) -> Data:
    """Make a model ready.

    Raises:
        ApiError: It is ready already.
    """
    model = call.db.require(MODELS, identity, heads=())
    if model.get("ready"):
        raise ApiError(f"Model is already published: id={identity}", subcode=203)
    answer: Data = {"updated": 1}
    task = call.db.get(TASKS, model["task"], heads=()) if model.get("task") else None
    if with_task and task is not None and task["status"] != "published":
        force = call.flag("force_publish_task")
        check(task, "publish", force=force)
        published = publish_task(call, task["id"], force=force, models=False)
        answer["published_task"] = {
            "id": task["id"],
            "data": {"updated": 1, "fields": published["fields"]},
        }
    save(call, identity, {"ready": True})
    return answer


@action("models.publish_many", mode=Mode.WRITE)
def publish_many(call: Call) -> Data:
    """Publish several models."""

    def publish(call: Call, identity: str) -> Data:
        done = publish_model(call, identity, call.flag("publish_tasks", True))
        return {**done, "updated": True}

    return each(call, publish)


def _archive(call: Call, identity: str, archived: bool) -> None:
    model = call.db.require(MODELS, identity, heads=())
    tags = [tag for tag in model.get("system_tags", []) if tag != "archived"]
    save(call, identity, {"system_tags": [*tags, "archived"] if archived else tags})


@action("models.archive_many", mode=Mode.WRITE)
def archive_many(call: Call) -> Data:
    """Archive models."""

    def put_away(call: Call, identity: str) -> Data:
        _archive(call, identity, True)
        return {"archived": True}

    return each(call, put_away)


@action("models.unarchive_many", mode=Mode.WRITE)
def unarchive_many(call: Call) -> Data:
    """Take models out of the archive."""

    def take_out(call: Call, identity: str) -> Data:
        _archive(call, identity, False)
        return {"unarchived": True}

    return each(call, take_out)


def used_by(call: Call, identity: str) -> list[str]:
    """The tasks that take a model as input."""
    return [
        row[0]
        for row in call.db.rows(
            f"SELECT id FROM tasks INDEXED BY {index_name(TASKS, (INPUTS, 'id'))} "  # noqa: S608
            f'WHERE instr("{INPUTS}", ?) > 0 AND EXISTS (SELECT 1 FROM '
            f"json_each(\"{INPUTS}\") e WHERE json_extract(e.value, '$.model') = ?)",
            (identity, identity),
        )
    ]


def delete_model(call: Call, identity: str, *, force: bool) -> Data:
    """Remove a model and its events.

    Raises:
        ApiError: A task uses it, or it is published, and there is no force.
    """
    from ..events import ingest, samples

    model = call.db.require(MODELS, identity, heads=())
    if not force:
        users = used_by(call, identity)
        if users:
            raise ApiError(f"Model is in use: id={identity}, tasks={users[:5]}", subcode=204)
        maker = call.db.get(TASKS, model["task"], heads=()) if model.get("task") else None
        if maker is not None and maker["status"] == "published":
            raise ApiError(f"Model's task is published: id={identity}", subcode=205)
    files = [*filter(None, [model.get("uri")]), *samples.urls(call.db, identity)]
    call.db.delete(MODELS, identity)
    ingest.forget(call.db, identity)
    if call.flag("delete_external_artifacts"):
        removals.schedule(call, files)
    maker = call.db.get(TASKS, model["task"], heads=()) if model.get("task") else None
    if maker is not None:
        _untie(call, maker, identity)
    return {"deleted": True, "url": model.get("uri")}


def _untie(call: Call, task: Document, identity: str) -> None:
    models: dict[str, Any] = dict(task.get("models") or {})
    listed = models.get("output") or []
    kept = [item for item in listed if item.get("model") != identity]
    if len(kept) < len(listed):
        call.db.patch(TASKS, task["id"], {"models": {**models, "output": kept}})


@action("models.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Remove a model."""
    return delete_model(call, call.need("model"), force=call.flag("force"))


@action("models.delete_many", mode=Mode.WRITE)
def delete_many(call: Call) -> Data:
    """Remove several models."""
    return each(call, lambda call, one: delete_model(call, one, force=call.flag("force")))


@action("models.move", mode=Mode.WRITE)
def move(call: Call) -> Data:
    """Move models to a project, by id or by name; a new name makes the project."""
    target = project_of(call)
    for identity in call.texts("ids"):
        if not call.db.exists(MODELS, identity):
            raise NotFoundError("model", identity)
        save(call, identity, {"project": target})
    return {"project_id": target}


@action("models.make_public", mode=Mode.WRITE)
def make_public(call: Call) -> Data:
    """Take models out of the company: they belong to everyone."""
    return publicize(call, MODELS, public=True)


@action("models.make_private", mode=Mode.WRITE)
def make_private(call: Call) -> Data:
    """Give models back to the company."""
    return publicize(call, MODELS, public=False)
