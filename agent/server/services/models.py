"""Models: registered weights, with what made them and what they may be used for."""

from __future__ import annotations

import uuid

from .. import clock, projection, references
from ..documents import DELETED, MODELS, PROJECTS, TASKS, Collection
from ..errors import ApiError, BadReferenceError, BadRequestError
from ..registry import Call, Data, Mode, action
from ..store import Document
from .listing import filters, listing, seen
from .metadata import as_map, delete_metadata, edit_metadata

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
    if call.body.get("created") is not None:
        fields["created"] = clock.normalize(call.need("created"))
    if call.body.get("ready") is not None:
        fields["ready"] = call.flag("ready")
    if call.body.get("metadata") is not None:
        found = call.body["metadata"]
        fields["metadata"] = found if isinstance(found, dict) else as_map(call.tables("metadata"))
    if fields.get("project"):
        call.db.require(PROJECTS, fields["project"])
    _check_reference(call, TASKS, "task", fields)
    _check_reference(call, MODELS, "parent", fields)
    return fields


def _check_reference(call: Call, collection: Collection, name: str, fields: Data) -> None:
    """Refuse a reference to nothing; one to what was deleted since is written back by clients.

    Raises:
        BadReferenceError: It names nothing.
    """
    identity = fields.get(name)
    if identity and not identity.startswith(DELETED) and not call.db.exists(collection, identity):
        raise BadReferenceError(collection.noun, identity, name)


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


def save(call: Call, identity: str, fields: Data) -> Data:
    """Write changed fields of a model, and note when."""
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
    fields = _fields(call)
    if call.flag("public"):
        fields["company"] = ""
    return {"id": new_model(call, fields)["id"], "created": True}


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


@action("models.get_all_ex", mode=Mode.SCAN)
def get_all_ex(call: Call) -> Data:
    """Models by filter, with the names of what they refer to."""
    where = seen(call, filters(call, MODELS))
    answer = listing(call, MODELS, "models", where, ex=True)
    if call.flag("include_stats"):
        for model in answer["models"]:
            model["stats"] = {"labels_count": len(model.get("labels") or {})}
    return answer


@action("models.get_by_id_ex", mode=Mode.SCAN)
def get_by_id_ex(call: Call) -> Data:
    """Models by `id`, or one by `model`; with the names behind ids."""
    only = projection.names(call.body.get("only_fields"))
    several = call.body.get("id") is not None
    wanted = call.texts("id") if several else [call.need("model")]
    models = [call.db.require(MODELS, identity, projection.heads(only)) for identity in wanted]
    found = references.expand(call.db, MODELS, models, only)
    return {"models": found} if several else {"model": found[0], "models": found}


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
    return save(call, model["id"], fields)


@action("models.update_for_task", mode=Mode.WRITE)
def update_for_task(call: Call) -> Data:
    """Make or change the output model of a task."""
    task = call.db.require(TASKS, call.need("task"), heads=())
    other, uri = call.text("override_model_id"), call.text("uri")
    if bool(other) == bool(uri):
        raise BadRequestError("give either uri or override_model_id")
    _iterate(call, task["id"])
    fields = {
        name: value for name, value in _fields(call).items() if name != "task" and value is not None
    }
    created = False
    if other:
        model = call.db.require(MODELS, other)
        save(call, other, fields)
    else:
        listed = (task.get("models") or {}).get("output") or []
        found = call.db.get(MODELS, listed[-1]["model"]) if listed else None
        created = found is None or bool(found.get("ready"))
        if found is None or created:
            name = call.text("name") or task["name"]
            model = new_model(call, {**fields, "name": name, "task": task["id"]})
        else:
            model = found
            save(call, model["id"], fields)
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


@action("models.add_or_update_metadata", mode=Mode.WRITE)
def add_or_update_metadata(call: Call) -> Data:
    """Set entries of a model's metadata."""
    return edit_metadata(call, MODELS, call.need("model"))


@action("models.delete_metadata", mode=Mode.WRITE)
def remove_metadata(call: Call) -> Data:
    """Remove entries of a model's metadata."""
    return delete_metadata(call, MODELS, call.need("model"))
