"""Models: registered weights, with what made them and what they may be used for."""

from __future__ import annotations

import uuid
from typing import Any

from .. import clock, projection
from ..documents import MODELS, PROJECTS, TASKS
from ..errors import ApiError, BadRequestError, NotFoundError
from ..registry import Call, Data, Mode, action
from ..store import Document
from .listing import listing
from .metadata import as_map, delete_metadata, edit_metadata
from .projects import project_of
from .tasks_status import check, each, publish_task

_TEXTS = ("name", "uri", "comment", "framework", "project", "parent", "task")
_TABLES = ("design", "labels", "ui_cache")


def _fields(call: Call) -> Data:
    """The fields of a model that a request sets, checked."""
    fields: Data = {name: call.text(name) for name in _TEXTS if name in call.body}
    for name in _TABLES:
        if call.body.get(name) is not None:
            fields[name] = call.table(name)
    for name in ("tags", "system_tags"):
        if call.body.get(name) is not None:
            fields[name] = list(dict.fromkeys(call.texts(name)))
    if call.body.get("ready") is not None:
        fields["ready"] = call.flag("ready")
    if call.body.get("metadata") is not None:
        found = call.body["metadata"]
        fields["metadata"] = found if isinstance(found, dict) else as_map(call.tables("metadata"))
    if fields.get("project"):
        call.db.require(PROJECTS, fields["project"])
    return fields


def new_model(call: Call, fields: Data) -> Document:
    """Register a model."""
    now = clock.now()
    model: Document = {
        "id": uuid.uuid4().hex,
        "user": call.user.id,
        "company": call.user.company,
        "created": now,
        "last_update": now,
        "last_change": now,
        "comment": "",
        "framework": "",
        "ready": False,
        "tags": [],
        "system_tags": [],
        "labels": {},
        "metadata": {},
        **{name: value for name, value in fields.items() if value is not None},
    }
    if not model.get("project") and model.get("task"):
        model["project"] = (call.db.get(TASKS, model["task"], heads=()) or {}).get("project")
    call.db.insert(MODELS, model)
    return model


def _save(call: Call, identity: str, fields: Data) -> Data:
    if fields:
        now = clock.now()
        call.db.patch(MODELS, identity, {**fields, "last_update": now, "last_change": now})
    return {"updated": int(bool(fields)), "fields": fields}


@action("models.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Register a model."""
    call.need("name")
    if "uri" not in call.body:
        raise BadRequestError("uri is missing")
    return {"id": new_model(call, _fields(call))["id"], "created": True}


@action("models.get_by_id")
def get_by_id(call: Call) -> Data:
    """One model."""
    only = projection.names(call.body.get("only_fields"))
    model = call.db.require(MODELS, call.need("model"))
    return {"model": projection.project(MODELS, model, only)}


@action("models.get_by_task_id")
def get_by_task_id(call: Call) -> Data:
    """The output model of a task."""
    task = call.db.require(TASKS, call.need("task"), heads=())
    listed = (task.get("models") or {}).get("output") or []
    if not listed:
        raise ApiError(f"Task has no output model: task={task['id']}", subcode=202)
    model = call.db.require(MODELS, listed[-1]["model"])
    return {"model": projection.project(MODELS, model, None)}


@action("models.get_all", mode=Mode.SCAN)
def get_all(call: Call) -> Data:
    """Models by filter."""
    return listing(call, MODELS, "models")


@action("models.get_frameworks", mode=Mode.SCAN)
def get_frameworks(call: Call) -> Data:
    """The frameworks in use."""
    wanted = set(call.texts("projects"))
    rows = call.db.rows("SELECT DISTINCT framework, project FROM models")
    return {
        "frameworks": sorted(
            {kind for kind, project in rows if kind and (not wanted or project in wanted)}
        )
    }


@action("models.edit", "models.update", mode=Mode.WRITE)
def edit(call: Call) -> Data:
    """Change a model."""
    model = call.db.require(MODELS, call.need("model"), heads=())
    fields = _fields(call)
    _iterate(call, fields.get("task") or model.get("task"))
    return _save(call, model["id"], fields)


@action("models.update_for_task", mode=Mode.WRITE)
def update_for_task(call: Call) -> Data:
    """Make or change the output model of a task."""
    task = call.db.require(TASKS, call.need("task"), heads=())
    other, uri = call.text("override_model_id"), call.text("uri")
    if bool(other) == bool(uri):
        raise BadRequestError("give either uri or override_model_id")
    _iterate(call, task["id"])
    fields = {name: value for name, value in _fields(call).items() if name != "task"}
    created = False
    if other:
        model = call.db.require(MODELS, other)
    else:
        listed = (task.get("models") or {}).get("output") or []
        found = call.db.get(MODELS, listed[-1]["model"]) if listed else None
        created = found is None or bool(found.get("ready"))
        if found is None or created:
            name = call.text("name") or task["name"]
            model = new_model(call, {**fields, "name": name, "task": task["id"]})
        else:
            model = found
            _save(call, model["id"], fields)
    _tie(call, task, model)
    return {
        "id": model["id"],
        "created": created,
        "updated": int(not created),
        "fields": fields,
    }


def _tie(call: Call, task: Document, model: Document) -> None:
    models = dict(task.get("models") or {})
    listed = models.get("output") or []
    if any(item.get("model") == model["id"] for item in listed):
        return
    models["output"] = [*listed, {"name": model["name"], "model": model["id"]}]
    call.db.patch(TASKS, task["id"], {"models": models, "last_update": clock.now()})


def _iterate(call: Call, task: str | None) -> None:
    """Note how far a task has come, if the request says so."""
    if call.body.get("iteration") is None or not task:
        return
    found = call.db.get(TASKS, task, heads=())
    if found:
        reached = max(call.integer("iteration", 0), found.get("last_iteration", 0))
        call.db.patch(TASKS, task, {"last_iteration": reached, "last_update": clock.now()})


def publish_models_of(call: Call, task: Document) -> None:
    """Make a task's output models ready."""
    for item in (task.get("models") or {}).get("output") or []:
        if call.db.exists(MODELS, item.get("model", "")):
            _save(call, item["model"], {"ready": True})


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
    _save(call, identity, {"ready": True})
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
    _save(call, identity, {"system_tags": [*tags, "archived"] if archived else tags})


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
            "SELECT id FROM tasks WHERE instr(doc, ?) > 0 AND EXISTS (SELECT 1 FROM "
            "json_each(doc, '$.models.input') e WHERE json_extract(e.value, '$.model') = ?)",
            (identity, identity),
        )
    ]


def delete_model(call: Call, identity: str, *, force: bool) -> Data:
    """Remove a model and its events.

    Raises:
        ApiError: A task uses it, or it is published, and there is no force.
    """
    from ..events import ingest

    model = call.db.require(MODELS, identity, heads=())
    if not force:
        users = used_by(call, identity)
        if users:
            raise ApiError(f"Model is in use: id={identity}, tasks={users[:5]}", subcode=204)
        maker = call.db.get(TASKS, model["task"], heads=()) if model.get("task") else None
        if maker is not None and maker["status"] == "published":
            raise ApiError(f"Model's task is published: id={identity}", subcode=205)
    call.db.delete(MODELS, identity)
    ingest.forget(call.db, identity)
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
        _save(call, identity, {"project": target})
    return {"project_id": target}


@action("models.add_or_update_metadata", mode=Mode.WRITE)
def add_or_update_metadata(call: Call) -> Data:
    """Set entries of a model's metadata."""
    return edit_metadata(call, MODELS, call.need("model"))


@action("models.delete_metadata", mode=Mode.WRITE)
def remove_metadata(call: Call) -> Data:
    """Remove entries of a model's metadata."""
    return delete_metadata(call, MODELS, call.need("model"))
