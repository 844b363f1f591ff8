"""Pipelines: started anew as clones of a controller that run, and their runs deleted."""

from __future__ import annotations

import re

from ..documents import PROJECTS, TASKS
from ..errors import ApiError, BadRequestError
from ..registry import Call, Data, Mode, action
from . import queues
from .projects import ensure_project
from .tasks import new_task
from .tasks_clone import clone_task
from .tasks_queueing import enqueue_task
from .tasks_removal import delete_task
from .tasks_status import each, steps_of

FOLDER = ".pipelines"
"""The hidden project of each project under which its pipelines lie, one project each."""


@action("pipelines.start_pipeline", mode=Mode.WRITE)
def start_pipeline(call: Call) -> Data:
    """Run a pipeline anew: clone its controller, set its arguments, put it on a queue."""
    task = call.db.require(TASKS, call.need("task"))
    queue = queues.target_queue(call)
    tags = [tag for tag in task.get("system_tags", []) if tag != "archived"]
    # The controller adds ` #3` to its name itself when it starts.
    name = call.text("new_pipeline_name") or re.sub(r"( #[0-9]+)+$", "", task["name"])
    answer: Data = {}
    project = call.text("new_project_name")
    if project or call.text("new_pipeline_name"):
        made = ensure_project(call, _place(call, task.get("project"), project, name))
        answer["new_project"] = {"id": made["id"], "name": made["name"]}
    fields = clone_task(
        task, name=name, system_tags=tags, project=answer.get("new_project", {}).get("id")
    )
    fields["hyperparams"] = with_arguments(task.get("hyperparams", {}), call.tables("args"))
    version = call.text("new_pipeline_version")
    if version:
        properties = dict(fields["hyperparams"].get("properties", {}))
        old = properties.get("version", {"section": "properties", "name": "version"})
        properties["version"] = {**old, "value": version}
        fields["hyperparams"] = {**fields["hyperparams"], "properties": properties}
    run = new_task(call, fields)
    enqueue_task(call, run["id"], queue)
    answer = {**answer, "pipeline": run["id"], "enqueued": True}
    if call.flag("verify_watched_queue"):
        answer["queue_watched"] = queues.is_watched(call, queue["id"])
    return answer


def _place(call: Call, project: str | None, new_project: str | None, name: str) -> str:
    """The full name of the project for a pipeline's runs."""
    if new_project:
        above = new_project
    else:
        current = call.db.get(PROJECTS, project or "", heads=()) or {"name": ""}
        above = current["name"].partition(f"/{FOLDER}")[0]
    return "/".join(filter(None, [above, FOLDER, name]))


def with_arguments(hyperparams: Data, arguments: list[Data]) -> Data:
    """Hyperparameters with other values in their `Args` section."""
    section = dict(hyperparams.get("Args", {}))
    for argument in arguments:
        name = argument.get("name")
        if not isinstance(name, str):
            raise BadRequestError("args: each argument needs a name")
        value = argument.get("value")
        old = section.get(name, {"section": "Args", "name": name})
        section[name] = {**old, "value": "" if value is None else str(value)}
    return {**hyperparams, "Args": section} if section else hyperparams


@action("pipelines.check_new_run", mode=Mode.SCAN)
def check_new_run(call: Call) -> Data:
    """Whether a run under a new name would lie in a project that is there already."""
    task = call.db.require(TASKS, call.need("task"), heads=())
    name = call.text("new_pipeline_name") or task["name"]
    place = _place(call, task.get("project"), call.text("new_project_name"), name)
    found = call.db.select(PROJECTS, "name = ?", (place,), limit=1)
    return {"exists": bool(found), "project": found[0]["id"] if found else None}


@action("pipelines.delete_runs", mode=Mode.WRITE)
def delete_runs(call: Call) -> Data:
    """Delete runs of a pipeline, but never all of them: the last one is the pipeline."""
    project = call.db.require(PROJECTS, call.need("project"), heads=())
    gone = set(call.texts("ids"))
    rows = call.db.rows(
        "SELECT id FROM tasks WHERE project = ? AND type = 'controller'", (project["id"],)
    )
    runs = {row[0] for row in rows}
    if runs and runs <= gone:
        raise ApiError(
            f"At least one run must be left in the pipeline: project={project['id']}", subcode=405
        )

    def remove(call: Call, identity: str) -> Data:
        if identity not in runs and identity not in steps:
            raise ApiError(f"Not a run of this pipeline: id={identity}", subcode=101)
        return delete_task(call, identity, force=True, return_urls=True)

    steps = set(steps_of(call, sorted(gone & runs)))
    return each(call, remove)
