"""Moving, merging and deleting projects, with what they hold."""

from __future__ import annotations

from .. import clock
from ..documents import MODELS, PROJECTS, TASKS, Collection
from ..errors import ApiError
from ..query import Where, compile_filters, has_tag, tag_text
from ..registry import Call, Data, Mode, action
from ..store import Document
from ..tree import with_children
from .projects import find_project, rename
from .projects_statistics import ARCHIVED, KINDS


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
    return merge_into(call, source, target)


def merge_into(call: Call, source: Document, target: Document | None) -> Data:
    """Move what a project holds into another or to the root; children of one name are merged."""
    moved = _disassociate(call, [source["id"]], target["id"] if target else None)
    children = call.db.select(PROJECTS, "parent = ?", (source["id"],))
    projects = len(children)
    for child in children:
        base = child["basename"]
        name = f"{target['name']}/{base}" if target else base
        same = find_project(call, name)
        if same is None or same["id"] == child["id"]:
            rename(call, child, name)
        else:
            below = merge_into(call, child, same)
            moved += below["moved_entities"]
            projects += below["moved_projects"]
    call.db.delete(PROJECTS, source["id"])
    return {"moved_entities": moved, "moved_projects": projects}


def _disassociate(
    call: Call,
    projects: list[str],
    target: str | None,
    kinds: tuple[Collection, ...] = (TASKS, MODELS),
) -> int:
    """Put the tasks and models of projects into another project, or into none."""
    moved = 0
    for collection in kinds:
        for document in _held(call, collection, projects):
            call.db.patch(
                collection, document["id"], {"project": target, "last_change": clock.now()}
            )
            moved += 1
    return moved


def _held(call: Call, collection: Collection, projects: list[str]) -> list[Document]:
    where = Where(collection).among("project", projects)
    return call.db.select(collection, where.sql, where.values, heads=())


def _counts(call: Call, where: Where) -> tuple[int, int]:
    """How many documents there are, and how many of them aren't archived."""
    collection = where.collection
    live = Where(collection, list(where.terms), list(where.values))
    live.add(f"NOT {has_tag('system_tags')}", tag_text(ARCHIVED))
    return (
        call.db.count(collection, where.sql, where.values),
        call.db.count(collection, live.sql, live.values),
    )


@action("projects.validate_delete", mode=Mode.SCAN)
def validate_delete(call: Call) -> Data:
    """What a deletion would meet."""
    projects = with_children(call.db, [call.db.require(PROJECTS, call.need("project"))["id"]])
    answer: Data = {}
    wheres = {collection.table: Where(collection) for collection in (TASKS, MODELS)}
    for kind, criteria in KINDS.items():
        wheres[f"{kind}s"] = compile_filters(TASKS, criteria)
    for name, where in wheres.items():
        where.among("project", projects)
        answer[name], answer[f"non_archived_{name}"] = _counts(call, where)
    return answer


@action("projects.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Remove a project and all below it, with its contents or without."""
    from .models_life import delete_model
    from .tasks_removal import delete_task

    project = call.db.require(PROJECTS, call.need("project"))
    projects = with_children(call.db, [project["id"]])
    tasks, models = (_held(call, collection, projects) for collection in (TASKS, MODELS))
    live = [one for one in tasks + models if ARCHIVED not in one.get("system_tags", [])]
    if live and not call.flag("force"):
        raise ApiError(
            f"Project has associated tasks or models that aren't archived: id={project['id']}",
            subcode=404,
        )
    answer: Data = {"deleted": 1, "deleted_tasks": 0, "deleted_models": 0, "disassociated_tasks": 0}
    if call.flag("delete_contents"):
        urls: dict[str, list[str]] = {"model_urls": [], "event_urls": [], "artifact_urls": []}
        for task in tasks:
            gone = delete_task(call, task["id"], force=True, return_urls=True)
            for kind, found in gone["urls"].items():
                urls[kind].extend(found)
        for model in models:
            if call.db.exists(MODELS, model["id"]):
                url = delete_model(call, model["id"], force=True)["url"]
                urls["model_urls"].extend([url] if url else [])
        answer.update(deleted_tasks=len(tasks), deleted_models=len(models), urls=urls)
    else:
        answer["disassociated_tasks"] = _disassociate(call, projects, None, kinds=(TASKS,))
        _disassociate(call, projects, None, kinds=(MODELS,))
    for identity in projects:
        call.db.delete(PROJECTS, identity)
    return answer
