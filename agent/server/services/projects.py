"""Projects: a tree by name, `a/b` being a child of `a`."""

from __future__ import annotations

import uuid
from typing import Any

from .. import clock
from ..documents import MODELS, PROJECTS, TASKS
from ..errors import ApiError, BadRequestError
from ..query import Where, has_tag, tag_text
from ..registry import Call, Data, Mode, action
from ..store import Document
from .listing import filters, listing

HIDDEN = "hidden"


def find_project(call: Call, name: str) -> Document | None:
    """The project of this full name."""
    found = call.db.select(PROJECTS, "name = ?", (name,), limit=1)
    return found[0] if found else None


def ensure_project(call: Call, name: str, **fields: Any) -> Document:
    """The project of this full name, made with its parents if there is none.

    Raises:
        BadRequestError: It isn't a project's name.
    """
    found = find_project(call, name)
    if found:
        return found
    pieces = name.split("/")
    if not all(piece.strip() for piece in pieces):
        raise BadRequestError(f"not a project name: {name!r}")
    parent = ensure_project(call, "/".join(pieces[:-1])) if len(pieces) > 1 else None
    # A name with a leading dot is the SDK's own place, and what lies in a hidden place is hidden.
    hidden = pieces[-1].startswith(".") or (parent and HIDDEN in parent.get("system_tags", []))
    tags = [*fields.pop("system_tags", []), *([HIDDEN] if hidden else [])]
    now = clock.now()
    project: Document = {
        "id": uuid.uuid4().hex,
        "description": "",
        "tags": [],
        "user": call.user.id,
        "company": call.user.company,
        "created": now,
        "last_update": now,
        **fields,
        **_placed(name, parent),
        "system_tags": list(dict.fromkeys(tags)),
    }
    call.db.insert(PROJECTS, project)
    return project


def _placed(name: str, parent: Document | None) -> Data:
    return {
        "name": name,
        "basename": name.rpartition("/")[2],
        "parent": parent["id"] if parent else None,
        "path": [*parent.get("path", []), parent["id"]] if parent else [],
    }


def project_of(call: Call) -> str | None:
    """The project that a call's `project` or `project_name` means; a new name makes one.

    None stands for the root.
    """
    identity, name = call.text("project"), call.text("project_name")
    if identity:
        return str(call.db.require(PROJECTS, identity)["id"])
    return str(ensure_project(call, name)["id"]) if name else None


def with_children(call: Call, identities: list[str]) -> list[str]:
    """The ids of projects and of all below them."""
    found = list(identities)
    for identity in found:
        rows = call.db.rows("SELECT id FROM projects WHERE parent = ?", (identity,))
        found.extend(row[0] for row in rows if row[0] not in found)
    return found


@action("projects.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Make a project, and its parents."""
    name = call.need("name")
    if find_project(call, name):
        raise ApiError(f"Value combination already exists: project name={name}", subcode=402)
    fields = {
        key: call.text(key)
        for key in ("description", "default_output_destination")
        if call.text(key) is not None
    }
    tags = {key: call.texts(key) for key in ("tags", "system_tags")}
    return {"id": ensure_project(call, name, **fields, **tags)["id"]}


@action("projects.get_by_id")
def get_by_id(call: Call) -> Data:
    """One project."""
    return {"project": call.db.require(PROJECTS, call.need("project"))}


@action("projects.get_all", mode=Mode.SCAN)
def get_all(call: Call) -> Data:
    """Projects by filter; hidden ones only when they are asked for."""
    where = filters(call, PROJECTS)
    if not call.flag("search_hidden") and not call.body.get("id"):
        where.add(f"NOT {has_tag('system_tags')}", tag_text(HIDDEN))
    if call.flag("shallow_search") and not call.body.get("parent"):
        where.add("parent IS NULL")
    return listing(call, PROJECTS, "projects", where)


@action("projects.update", mode=Mode.WRITE)
def update(call: Call) -> Data:
    """Change a project; a new name takes all below it along."""
    project = call.db.require(PROJECTS, call.need("project"))
    fields: Data = {
        key: call.text(key)
        for key in ("description", "default_output_destination")
        if key in call.body
    }
    for key in ("tags", "system_tags"):
        if call.body.get(key) is not None:
            fields[key] = call.texts(key)
    call.db.patch(PROJECTS, project["id"], {**fields, "last_update": clock.now()})
    name = call.text("name")
    if name is not None and name != project["name"]:
        rename(call, project, name)
        fields["name"] = name
    return {"updated": int(bool(fields)), "fields": fields}


def rename(call: Call, project: Document, name: str) -> int:
    """Give a project another full name, and so another place; returns how many were moved.

    Raises:
        ApiError: The name is taken, or lies below the project itself.
    """
    old = project["name"]
    if find_project(call, name):
        raise ApiError(f"Value combination already exists: project name={name}", subcode=402)
    if name.startswith(f"{old}/"):
        raise ApiError(f"A project can't be moved below itself: {old} -> {name}", subcode=403)
    head = name.rpartition("/")[0]
    parent = ensure_project(call, head) if head else None
    return _place(call, project["id"], name, parent)


def _place(call: Call, identity: str, name: str, parent: Document | None) -> int:
    here = call.db.patch(PROJECTS, identity, {**_placed(name, parent), "last_update": clock.now()})
    children = call.db.select(PROJECTS, "parent = ?", (identity,))
    return 1 + sum(
        _place(call, child["id"], f"{name}/{child['basename']}", here) for child in children
    )


@action("projects.move", mode=Mode.WRITE)
def move(call: Call) -> Data:
    """Put a project below another."""
    project = call.db.require(PROJECTS, call.need("project"))
    location = (call.text("new_location") or "").strip("/")
    base = project["basename"]
    return {"moved": rename(call, project, f"{location}/{base}" if location else base)}


@action("projects.merge", mode=Mode.WRITE)
def merge(call: Call) -> Data:
    """Move all that a project holds into another, and remove it."""
    source = call.db.require(PROJECTS, call.need("project"))
    identity = call.text("destination_project")
    target = call.db.require(PROJECTS, identity) if identity else None
    if target and (target["id"] == source["id"] or source["id"] in target.get("path", [])):
        raise ApiError("A project can't be merged into itself or below itself", subcode=403)
    moved = _disassociate(call, [source["id"]], target["id"] if target else None)
    children = call.db.select(PROJECTS, "parent = ?", (source["id"],))
    for child in children:
        base = child["basename"]
        rename(call, child, f"{target['name']}/{base}" if target else base)
    call.db.delete(PROJECTS, source["id"])
    return {"moved_entities": moved, "moved_projects": len(children)}


def _disassociate(call: Call, projects: list[str], target: str | None) -> int:
    """Put the tasks and models of projects into another project, or into none."""
    moved = 0
    for collection in (TASKS, MODELS):
        for document in _held(call, collection, projects):
            call.db.patch(
                collection, document["id"], {"project": target, "last_change": clock.now()}
            )
            moved += 1
    return moved


def _held(call: Call, collection: Any, projects: list[str]) -> list[Document]:
    where = Where(collection)
    where.add(f"project IN ({','.join('?' * len(projects))})", *projects)
    return call.db.select(collection, where.sql, where.values, heads=())


@action("projects.validate_delete", mode=Mode.SCAN)
def validate_delete(call: Call) -> Data:
    """What a deletion would meet."""
    projects = with_children(call, [call.db.require(PROJECTS, call.need("project"))["id"]])
    answer: Data = {}
    for collection in (TASKS, MODELS):
        held = _held(call, collection, projects)
        live = [one for one in held if "archived" not in one.get("system_tags", [])]
        answer[collection.table] = len(held)
        answer[f"non_archived_{collection.table}"] = len(live)
    return answer


@action("projects.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Remove a project and all below it, with its contents or without."""
    from .models import delete_model
    from .tasks_removal import delete_task

    project = call.db.require(PROJECTS, call.need("project"))
    projects = with_children(call, [project["id"]])
    tasks, models = (_held(call, collection, projects) for collection in (TASKS, MODELS))
    live = [one for one in tasks + models if "archived" not in one.get("system_tags", [])]
    if live and not call.flag("force"):
        raise ApiError(
            f"Project has associated tasks or models that aren't archived: id={project['id']}",
            subcode=404,
        )
    answer: Data = {"deleted": 1, "deleted_tasks": 0, "deleted_models": 0}
    if call.flag("delete_contents"):
        for task in tasks:
            delete_task(call, task["id"], force=True)
        for model in models:
            if call.db.exists(MODELS, model["id"]):
                delete_model(call, model["id"], force=True)
        answer.update(deleted_tasks=len(tasks), deleted_models=len(models))
    else:
        _disassociate(call, projects, None)
    for identity in projects:
        call.db.delete(PROJECTS, identity)
    return {**answer, "disassociated_tasks": 0 if answer["deleted_tasks"] else len(tasks)}
