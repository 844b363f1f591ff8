"""Reports: texts in Markdown with figures of tasks; each is a task of the type `report`.

They lie in a hidden project `.reports` of the project they belong to.
"""

from __future__ import annotations

from typing import Any

from .. import projection
from ..documents import PROJECTS, TASKS
from ..errors import BadRequestError, InvalidStatusError
from ..query import Where
from ..registry import ACTIONS, Call, Data, Mode, action
from ..store import Document
from .listing import filters, listing, page
from .projects import ensure_project
from .projects_contents import tags_of
from .tasks import new_task, save
from .tasks_places import archive_task
from .tasks_removal import delete_task
from .tasks_status import CREATED, PUBLISHED, publish_task

TYPE = "report"
FOLDER = ".reports"
_FIELDS = ("name", "comment", "report")


def _report(call: Call, *, draft: bool = False) -> Document:
    """The report that a request names.

    Raises:
        BadRequestError: It is no report.
        InvalidStatusError: It is published and would be changed.
    """
    task = call.db.require(TASKS, call.need("task"), heads=())
    if task["type"] != TYPE:
        raise BadRequestError(f"task {task['id']} is not a report")
    if draft and task["status"] != CREATED:
        raise InvalidStatusError(task["id"], task["status"], "update of a report")
    return task


def _given(call: Call) -> Data:
    fields: Data = {key: call.text(key) for key in _FIELDS if call.body.get(key) is not None}
    if "name" in fields and not fields["name"].strip():
        raise BadRequestError("name: a report needs a name")
    if call.body.get("tags") is not None:
        fields["tags"] = call.texts("tags")
    if call.body.get("report_assets") is not None:
        fields["report_assets"] = call.texts("report_assets")
    return fields


def _folder(call: Call, project: str | None) -> str:
    """The id of the project in which the reports of a project lie."""
    if not project:
        return str(ensure_project(call, FOLDER)["id"])
    found = call.db.require(PROJECTS, project)
    if found["basename"] == FOLDER:
        return str(found["id"])
    return str(ensure_project(call, f"{found['name']}/{FOLDER}")["id"])


@action("reports.create", mode=Mode.WRITE)
def create(call: Call) -> Data:
    """Make a report."""
    call.need("name")
    project = _folder(call, call.text("project"))
    fields = {**_given(call), "type": TYPE, "project": project, "system_tags": ["reports"]}
    return {"id": new_task(call, fields)["id"], "project_id": project}


@action("reports.update", mode=Mode.WRITE)
def update(call: Call) -> Data:
    """Change a draft's name, tags, comment or text."""
    return save(call, _report(call, draft=True)["id"], _given(call))


@action("reports.move", mode=Mode.WRITE)
def move(call: Call) -> Data:
    """Move a report to a project, by id or by name; a new name makes the project."""
    task = _report(call)
    project, name = call.text("project"), call.text("project_name")
    if not project and name:
        project = str(ensure_project(call, name)["id"])
    target = _folder(call, project)
    save(call, task["id"], {"project": target})
    return {"project_id": target}


@action("reports.publish", mode=Mode.WRITE)
def publish(call: Call) -> Data:
    """Publish a report: from then on it stays as it is."""
    task = _report(call)
    if task["status"] == PUBLISHED:
        raise InvalidStatusError(task["id"], task["status"], "publish")
    return {"updated": publish_task(call, task["id"], force=True, models=False)["updated"]}


@action("reports.archive", mode=Mode.WRITE)
def archive(call: Call) -> Data:
    """Archive a report."""
    archive_task(call, _report(call)["id"], True)
    return {"archived": 1}


@action("reports.unarchive", mode=Mode.WRITE)
def unarchive(call: Call) -> Data:
    """Take a report out of the archive."""
    archive_task(call, _report(call)["id"], False)
    return {"unarchived": 1}


@action("reports.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Delete a report; one that is neither archived nor a draft only by force."""
    task = _report(call)
    if task["status"] == PUBLISHED and not call.flag("force"):
        raise InvalidStatusError(task["id"], task["status"], "delete")
    return {"deleted": delete_task(call, task["id"], force=True)["deleted"]}


@action("reports.get_tags", mode=Mode.SCAN)
def get_tags(call: Call) -> Data:
    """The tags of all reports."""
    return tags_of(call, [Where(TASKS).add("type = ?", TYPE)])


@action("reports.get_all_ex", mode=Mode.SCAN)
def get_all_ex(call: Call) -> Data:
    """Reports by filter."""
    where = filters(call, TASKS).add("type = ?", TYPE)
    return listing(call, TASKS, "tasks", where, ex=True)


@action("reports.get_task_data", mode=Mode.SCAN)
def get_task_data(call: Call) -> Data:
    """Tasks by filter with their plots, debug images and scalars, for a report's figures."""
    only = projection.names(call.body.get("only_fields")) or ["id", "name"]
    answer = page(call, TASKS, "tasks", filters(call, TASKS), only)
    identities = [task["id"] for task in answer["tasks"]]
    for key, name in _FIGURES.items():
        options = call.table(key)
        if options is not None:
            answer[key] = _figures(call, name, {**options, "tasks": identities})
    return answer


_FIGURES = {
    "plots": "events.get_multi_task_plots",
    "debug_images": "events.debug_images",
    "scalar_metrics_iter_histogram": "events.multi_task_scalar_metrics_iter_histogram",
    "single_value_metrics": "events.get_task_single_value_metrics",
}
"""Which action of the events answers a part of `get_task_data`."""


def _figures(call: Call, name: str, body: Data) -> Any:
    if name == "events.debug_images":
        metrics = body.get("metrics") or []
        body["metrics"] = [
            {**metric, "task": task} for task in body["tasks"] for metric in (metrics or [{}])
        ]
    asked = call.body
    call.body = body
    try:
        found = ACTIONS[name].handler(call)
        assert isinstance(found, dict)
    finally:
        call.body = asked
    return next((found[key] for key in ("plots", "metrics", "tasks") if key in found), found)
