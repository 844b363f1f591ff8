"""Projects: a tree by name, `a/b` being a child of `a`."""

from __future__ import annotations

import re
import uuid
from typing import Any

from .. import clock
from ..documents import PROJECTS, TASKS
from ..errors import ApiError, BadRequestError, TakenError
from ..query import Where, has_tag, tag_text
from ..registry import Call, Data, Mode, action
from ..store import Document
from ..tree import HIDDEN, below
from . import projects_statistics as contents
from .listing import filters, filters_of, listing

_NAMED = {"dataset", "pipeline"}
"""System tags of tasks that are called as their project is."""
_RUN = re.compile(r"( #[0-9]+)*")
"""What the SDK adds to the name of a pipeline's run."""


def find_project(call: Call, name: str) -> Document | None:
    """The project of this full name."""
    found = call.db.select(PROJECTS, "name = ?", (tidied(name),), limit=1)
    return found[0] if found else None


def tidied(name: str) -> str:
    """A full name as it is kept: people also write `/a/b` and `a/b/`."""
    return name.strip("/")


def ensure_project(call: Call, name: str, **fields: Any) -> Document:
    """The project of this full name, made with its parents if there is none.

    Raises:
        BadRequestError: It isn't a project's name.
    """
    name = tidied(name)
    found = find_project(call, name)
    if found:
        return found
    pieces = check_name(name)
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


def check_name(name: str) -> list[str]:
    """The pieces of a project's full name.

    Raises:
        BadRequestError: It isn't a project's name.
    """
    pieces = name.split("/")
    if not all(piece.strip() for piece in pieces):
        raise BadRequestError(f"not a project name: {name!r}")
    return pieces


def _placed(name: str, parent: Document | None) -> Data:
    return {
        "name": name,
        "basename": name.rpartition("/")[2],
        "parent": parent["id"] if parent else None,
        "path": [*parent.get("path", []), parent["id"]] if parent else [],
    }


def project_of(call: Call) -> str | None:
    """The project that a call's `project` or `project_name` means; a new name makes one.

    None stands for the root, which must be asked for by a `project` that is null.

    Raises:
        BadRequestError: The call has neither.
    """
    identity, name = call.text("project"), call.text("project_name")
    if call.body.keys().isdisjoint({"project", "project_name"}):
        raise BadRequestError("give either project (null for the root) or project_name")
    if identity:
        return str(call.db.require(PROJECTS, identity)["id"])
    return str(ensure_project(call, name)["id"]) if name else None


@action("projects.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Make a project, and its parents."""
    name = call.need("name")
    if find_project(call, name):
        raise TakenError(name)
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
    return listing(call, PROJECTS, "projects", _asked_for(call))


def _asked_for(call: Call) -> Where:
    where = _placed_below(call)
    if not call.flag("search_hidden") and not call.body.get("id"):
        where.add(f"NOT {has_tag('system_tags')}", tag_text(HIDDEN))
    if call.flag("shallow_search") and not call.body.get("parent"):
        where.add("parent IS NULL")
    return where


def _placed_below(call: Call) -> Where:
    """The condition of the filters. All that lies below a parent counts, unless it is shallow."""
    parents = call.body.get("parent")
    listed: list[Any] = parents if isinstance(parents, list) else [parents]
    if call.flag("shallow_search") or not listed or not all(map(_is_parent, listed)):
        return filters(call, PROJECTS)
    others = {name: value for name, value in call.body.items() if name != "parent"}
    return filters_of(call, PROJECTS, others).among("id", below(call.db, listed))


def _is_parent(item: Any) -> bool:
    """Whether a filter's item is the id of a project to look below, and no marker or exclusion."""
    return isinstance(item, str) and not item.startswith(("-", "__$"))


@action("projects.get_all_ex", mode=Mode.SCAN)
def get_all_ex(call: Call) -> Data:
    """Projects by filter, with what they hold and statistics of it if that is asked for."""
    where = _asked_for(call)
    users = call.texts("active_users")
    if users:
        where.among("id", contents.of_users(call, users))
    if call.body.get("children_type"):
        where.among("id", contents.holding(call))
    answer = listing(call, PROJECTS, "projects", where, ex=True)
    contents.describe(call, answer["projects"])
    return answer


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
    name = name if name is None else tidied(name)
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
    check_name(name)
    if find_project(call, name):
        raise TakenError(name)
    if name.startswith(f"{old}/"):
        raise ApiError(f"A project can't be moved below itself: {old} -> {name}", subcode=403)
    head, _, base = name.rpartition("/")
    parent = ensure_project(call, head) if head else None
    if base != project["basename"] and HIDDEN in project.get("system_tags", []):
        _rename_versions(call, project, base)
    return _place(call, project["id"], name, parent)


def _rename_versions(call: Call, project: Document, base: str) -> None:
    """Let a dataset's versions and a pipeline's runs follow their project's new name.

    The SDK looks for a dataset of some name as a task of that name in the project of that name.
    """
    old = project["basename"]
    for task in call.db.select(TASKS, "project = ?", (project["id"],), heads=()):
        rest = task["name"].removeprefix(old)
        if (
            task["name"].startswith(old)
            and _RUN.fullmatch(rest)
            and not _NAMED.isdisjoint(task.get("system_tags", []))
        ):
            call.db.patch(TASKS, task["id"], {"name": f"{base}{rest}", "last_change": clock.now()})


def _place(call: Call, identity: str, name: str, parent: Document | None) -> int:
    here = call.db.patch(PROJECTS, identity, {**_placed(name, parent), "last_update": clock.now()})
    children = call.db.select(PROJECTS, "parent = ?", (identity,))
    return 1 + sum(
        _place(call, child["id"], f"{name}/{child['basename']}", here) for child in children
    )
