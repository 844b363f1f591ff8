"""Tasks: made, found, edited, moved."""

from __future__ import annotations

import uuid
from types import NoneType
from typing import Any

from .. import clock, outlines, projection, references
from ..documents import OUTLINE, PROJECTS, TASKS
from ..encoding import dumps, loads, written
from ..errors import BadReferenceError, BadRequestError
from ..registry import Call, Data, Mode, action
from ..store import Document
from .listing import filters, listing, seen
from .tasks_status import CREATED, check, touch_project

TYPES = (
    "dataset_import", "annotation", "annotation_manual", "training", "testing", "inference",
    "data_processing", "application", "monitor", "controller", "optimizer", "service", "qc",
    "custom", "import",
)  # fmt: skip

_TEXTS = ("name", "comment", "project", "parent", "type")
_TAGS = ("tags", "system_tags")
_MERGED = ("execution", "script", "output", "models")
"""Sections in which an edit sets the names it gives and leaves the others."""
_REPLACED = ("container", "runtime", "hyperparams", "configuration", "input")
"""Sections that an edit replaces: clients read them, change them and write them back whole."""


def new_task(call: Call, fields: Data) -> Document:
    """Make a draft from the fields that a request gave.

    Raises:
        BadRequestError: A field is wrong.
        NotFoundError: The project doesn't exist.
    """
    now = clock.now()
    task: Document = {
        "id": uuid.uuid4().hex,
        "type": "custom",
        "user": call.user.id,
        "company": call.user.company,
        "status": CREATED,
        "status_reason": "",
        "status_message": "",
        "status_changed": now,
        "created": now,
        "last_update": now,
        "last_change": now,
        "last_iteration": 0,
        "active_duration": 0,
        "comment": "",
        "tags": [],
        "system_tags": [],
        "output": {},
        "models": {"input": [], "output": []},
        "container": {},
        "runtime": {},
        "script": {},
        "execution": {"artifacts": []},
        "hyperparams": {},
        "configuration": {},
        "last_metrics": {},
        **fields,
    }
    call.db.insert(TASKS, {**task, OUTLINE: outlines.note(call.db, task["hyperparams"])})
    return task


def editable(call: Call, before: Document | None = None) -> Data:
    """The fields of a task that a create or an edit request sets, checked.

    Args:
        call: The request.
        before: The task as it is, with the sections that are merged; None for a new one.
    """
    body, old = call.body, before or {}
    fields: Data = {}
    for name in _TEXTS:
        if name in body:
            fields[name] = call.text(name)
    for name in _TAGS:
        if body.get(name) is not None:
            fields[name] = list(dict.fromkeys(call.texts(name)))
    for name in _REPLACED:
        value = call.table(name)
        if value is not None:
            fields[name] = value
    if "hyperparams" in fields:
        fields["hyperparams"] = sections_of(fields["hyperparams"])
    if "configuration" in fields:
        fields["configuration"] = configuration_of(fields["configuration"])
    for name in _MERGED:
        value = call.table(name)
        if value is not None:
            fields[name] = {
                **old.get(name, {}),
                **{k: v for k, v in value.items() if v is not None},
            }
    check_lists(fields)
    if "output_dest" in body:
        output = fields.get("output", old.get("output", {}))
        fields["output"] = {**(output or {}), "destination": call.text("output_dest")}
    if fields.get("project"):
        call.db.require(PROJECTS, fields["project"])
    if fields.get("type") is not None and fields["type"] not in TYPES:
        raise BadRequestError(f"type: unknown task type {fields['type']!r}")
    if "name" in fields and not (fields["name"] or "").strip():
        raise BadRequestError("name: a task needs a name")
    return fields


def check_lists(fields: Data) -> None:
    """Refuse artifacts, models and views that aren't lists of objects: later calls go through them.

    Raises:
        BadRequestError: It names the list.
    """
    execution, models = fields.get("execution") or {}, fields.get("models") or {}
    if not isinstance(execution.get("queue"), (str, NoneType)):
        raise BadRequestError("execution.queue must be a text")
    view = (fields.get("input") or {}).get("view")
    lists = {
        "execution.artifacts": (execution.get("artifacts"), ("key",)),
        "input.view.entries": (
            view.get("entries") if isinstance(view, dict) else None,
            ("dataset", "version"),
        ),
        **{f"models.{kind}": (listed, ("model", "name")) for kind, listed in models.items()},
    }
    for where, (listed, names) in lists.items():
        if listed is None:
            continue
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise BadRequestError(f"{where} must be a list of objects")
        for item in listed:
            for name in (*names, "uri", "mode"):
                value = item.get(name)
                if not isinstance(value, (str, NoneType)) or (name == "model" and not value):
                    raise BadRequestError(f"{where}: {name} must be a text")


def sections_of(hyperparams: Data) -> Data:
    """Hyperparameters by section and name, each entry with both, as clients read them.

    Raises:
        BadRequestError: A section or an entry is no object.
    """
    return {
        section: _items(f"hyperparams.{section}", items, section=section)
        for section, items in hyperparams.items()
    }


def configuration_of(configuration: Data) -> Data:
    """Configurations by name, each entry with its name, as clients read them.

    Raises:
        BadRequestError: An entry is no object.
    """
    return _items("configuration", configuration)


def _items(where: str, items: Any, **more: str) -> Data:
    if not isinstance(items, dict):
        raise BadRequestError(f"{where} must be an object")
    for name, item in items.items():
        if not isinstance(item, dict):
            raise BadRequestError(f"{where}.{name} must be an object")
    return {name: {**more, "name": name, **item} for name, item in items.items()}


@action("tasks.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Make a draft."""
    task = new_task(call, {k: v for k, v in _new_fields(call).items() if v is not None})
    if task.get("project"):
        touch_project(call, task["project"])
    return {"id": task["id"]}


@action("tasks.validate")
def validate(call: Call) -> Data:
    """Check what `create` would be given."""
    _new_fields(call)
    return {}


def _new_fields(call: Call) -> Data:
    """What a new task is made of; an imported one gets the parent it had elsewhere by an edit."""
    call.need("name")
    call.need("type")
    fields = editable(call)
    parent = fields.get("parent")
    if parent and not call.db.exists(TASKS, parent):
        raise BadReferenceError(TASKS.noun, parent, "parent")
    return fields


@action("tasks.get_by_id")
def get_by_id(call: Call) -> Data:
    """One task."""
    only = projection.names(call.body.get("only_fields"))
    read = written if only is None else loads  # all of it: no need to look into it
    task = call.db.require(TASKS, call.need("task"), projection.heads(only), read=read)
    return {"task": projection.project(TASKS, task, only)}


@action("tasks.get_all", mode=Mode.SCAN)
def get_all(call: Call) -> Data:
    """Tasks by filter. Those in hidden projects are found too: step caching relies on it."""
    return listing(call, TASKS, "tasks", filters(call, TASKS))


@action("tasks.get_by_id_ex", mode=Mode.SCAN)
def get_by_id_ex(call: Call) -> Data:
    """Tasks by `id`, as the web application asks, or one by `task`; with the names behind ids."""
    only = projection.names(call.body.get("only_fields"))
    several = call.body.get("id") is not None
    wanted = call.texts("id") if several else [call.need("task")]
    tasks = [call.db.require(TASKS, identity, projection.heads(only)) for identity in wanted]
    found = references.expand(call.db, TASKS, tasks, only)
    return {"tasks": found} if several else {"task": found[0], "tasks": found}


@action("tasks.get_all_ex", mode=Mode.SCAN)
def get_all_ex(call: Call) -> Data:
    """Tasks by filter, with the names of what they refer to; hidden ones only where asked for."""
    return listing(call, TASKS, "tasks", seen(call, filters(call, TASKS)), ex=True)


@action("tasks.edit", mode=Mode.WRITE)
def edit(call: Call) -> Data:
    """Change a draft, or any task by force."""
    task = call.db.require(TASKS, call.need("task"), heads={"execution", "script"})
    check(task, "edit", force=call.flag("force"))
    return save(call, task["id"], editable(call, task))


@action("tasks.update", mode=Mode.WRITE)
def update(call: Call) -> Data:
    """Change what may be changed in any status: name, comment, tags, project."""
    return update_task(call, call.need("task"))


def update_task(call: Call, identity: str) -> Data:
    """Set the fields that an `update` request may set."""
    task = call.db.require(TASKS, identity, heads=())
    fields = {
        name: value
        for name, value in editable(call, task).items()
        if name in ("name", "comment", "tags", "system_tags", "project", "parent")
    }
    if call.body.get("created"):
        fields["created"] = clock.normalize(call.need("created"))
    if "output__error" in call.body:
        fields["output"] = {**task.get("output", {}), "error": call.text("output__error")}
    return save(call, identity, fields)


@action("tasks.update_batch", mode=Mode.WRITE)
def update_batch(call: Call) -> Data:
    """`update`, one task a line."""
    changed = 0
    for line in call.batch or []:
        if not isinstance(line, dict):
            raise BadRequestError("each line must be an object")
        call.body = line
        changed += update_task(call, call.need("task"))["updated"]
    return {"updated": changed}


def save(call: Call, identity: str, fields: Data) -> Data:
    """Write changed fields, and note when."""
    if fields:
        now = clock.now()
        more = {"last_update": now, "last_change": now}
        if "hyperparams" in fields:
            more[OUTLINE] = outlines.note(call.db, fields["hyperparams"])
        call.db.patch(TASKS, identity, {**fields, **more})
    return {"updated": int(bool(fields)), "fields": fields}


@action("tasks.set_requirements", mode=Mode.WRITE)
def set_requirements(call: Call) -> Data:
    """Set what a task's code needs installed."""
    task = call.db.require(TASKS, call.need("task"), heads={"script"})
    requirements: Any = call.body.get("requirements")
    if not isinstance(requirements, dict):
        raise BadRequestError("requirements must be an object")
    script = {**task.get("script", {}), "requirements": requirements}
    save(call, task["id"], {"script": script})
    return {"updated": 1, "fields": {"script.requirements": requirements}}


@action("tasks.get_types", mode=Mode.SCAN)
def get_types(call: Call) -> Data:
    """The task types in use."""
    projects = call.texts("projects")
    where = "project IN (SELECT value FROM json_each(?))" if projects else "?"
    rows = call.db.listed(
        TASKS, "DISTINCT type", f"WHERE {where}", (dumps(projects) if projects else 1,)
    )
    return {"types": sorted(kind for (kind,) in rows)}
