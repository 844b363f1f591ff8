"""Cloning tasks, and starting pipelines, which are clones that run."""

from __future__ import annotations

import re
from typing import Any

from ..documents import PROJECTS, TASKS
from ..errors import BadRequestError
from ..registry import Call, Data, Mode, action
from ..store import Document
from . import queues
from .projects import ensure_project
from .tasks import new_task
from .tasks_queueing import enqueue_task

_COPIED = (
    "name", "type", "comment", "tags", "project", "parent", "script", "hyperparams",
    "configuration", "container", "input",
)  # fmt: skip


def clone_task(task: Document, **changes: Any) -> Data:
    """The fields of a draft that will do what a task did, with some of them changed.

    Results stay behind: output models, output artifacts, metrics. So does `runtime`, which
    describes the one run: a copied `_pipeline_hash` would make a pipeline believe it goes on.
    """
    fields = {name: task[name] for name in _COPIED if name in task}
    execution = {k: v for k, v in task.get("execution", {}).items() if k != "queue"}
    execution["artifacts"] = [
        item for item in execution.get("artifacts") or [] if item.get("mode") == "input"
    ]
    fields["execution"] = execution
    fields["models"] = {"input": (task.get("models") or {}).get("input") or [], "output": []}
    destination = task.get("output", {}).get("destination")
    fields["output"] = {"destination": destination} if destination else {}
    return {**fields, **{name: value for name, value in changes.items() if value is not None}}


@action("tasks.clone", mode=Mode.WRITE)
def clone(call: Call) -> Data:
    """Make a draft like a task."""
    task = call.db.require(TASKS, call.need("task"))
    answer: Data = {}
    project = call.text("new_task_project")
    name = call.text("new_project_name")
    if project:
        call.db.require(PROJECTS, project)
    elif name:
        found = ensure_project(call, name)
        project = found["id"]
        answer["new_project"] = {"id": found["id"], "name": found["name"]}
    fields = clone_task(
        task,
        name=call.text("new_task_name"),
        comment=call.text("new_task_comment"),
        parent=call.text("new_task_parent"),
        project=project,
        hyperparams=call.table("new_task_hyperparams"),
        configuration=call.table("new_task_configuration"),
        container=call.table("new_task_container"),
        tags=call.texts("new_task_tags") if call.body.get("new_task_tags") is not None else None,
        system_tags=call.texts("new_task_system_tags"),
    )
    for section, overrides in (
        ("execution", call.table("execution_overrides")),
        ("script", call.table("script_overrides")),
    ):
        if overrides:
            given = {k: v for k, v in overrides.items() if v is not None}
            fields[section] = {**fields.get(section, {}), **given}
    if call.body.get("new_task_input_models") is not None:
        fields["models"] = {**fields["models"], "input": call.tables("new_task_input_models")}
    return {"id": new_task(call, fields)["id"], **answer}


@action("pipelines.start_pipeline", mode=Mode.WRITE)
def start_pipeline(call: Call) -> Data:
    """Run a pipeline anew: clone its controller, set its arguments, put it on a queue."""
    task = call.db.require(TASKS, call.need("task"))
    queue = queues.target_queue(call)
    tags = [tag for tag in task.get("system_tags", []) if tag != "archived"]
    # The controller adds ` #3` to its name itself when it starts.
    name = re.sub(r"( #[0-9]+)+$", "", task["name"])
    fields = clone_task(task, name=name, system_tags=tags)
    fields["hyperparams"] = with_arguments(task.get("hyperparams", {}), call.tables("args"))
    made = new_task(call, fields)
    enqueue_task(call, made["id"], queue)
    answer: Data = {"pipeline": made["id"], "enqueued": True}
    if call.flag("verify_watched_queue"):
        answer["queue_watched"] = queues.is_watched(call, queue["id"])
    return answer


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
