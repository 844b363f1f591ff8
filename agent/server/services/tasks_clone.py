"""Cloning tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..documents import MODELS, PROJECTS, TASKS
from ..registry import Call, Data, Mode, action
from ..store import Document
from .projects import ensure_project
from .tasks import check_lists, configuration_of, new_task, sections_of

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


def _given(call: Call, name: str, read: Callable[[Data], Data]) -> Data | None:
    found = call.table(name)
    return None if found is None else read(found)


def check_references(call: Call, task: Document) -> None:
    """Refuse a copy of references to what is no longer there.

    Raises:
        NotFoundError: The project, the parent or an input model is gone.
    """
    if task.get("project"):
        call.db.require(PROJECTS, task["project"], heads=())
    if task.get("parent"):
        call.db.require(TASKS, task["parent"], heads=())
    for item in (task.get("models") or {}).get("input") or []:
        call.db.require(MODELS, item["model"], heads=())


@action("tasks.clone", mode=Mode.WRITE)
def clone(call: Call) -> Data:
    """Make a draft like a task."""
    task = call.db.require(TASKS, call.need("task"))
    answer: Data = {}
    project = call.text("new_task_project")
    name = call.text("new_project_name")
    parent = call.text("new_task_parent")
    if project:
        call.db.require(PROJECTS, project)
    elif name:
        found = ensure_project(call, name)
        project = found["id"]
        answer["new_project"] = {"id": found["id"], "name": found["name"]}
    if parent:
        call.db.require(TASKS, parent, heads=())
    if call.flag("validate_references"):
        check_references(call, task)
    fields = clone_task(
        task,
        name=call.text("new_task_name"),
        comment=call.text("new_task_comment"),
        parent=parent,
        project=project,
        hyperparams=_given(call, "new_task_hyperparams", sections_of),
        configuration=_given(call, "new_task_configuration", configuration_of),
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
        for item in call.tables("new_task_input_models"):
            call.db.require(MODELS, str(item.get("model")), heads=())
        fields["models"] = {**fields["models"], "input": call.tables("new_task_input_models")}
    check_lists(fields)
    return {"id": new_task(call, fields)["id"], **answer}
