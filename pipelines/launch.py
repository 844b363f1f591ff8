"""Start a pipeline: check everything, make the controller's task and put it on its queue."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from components.code import CodeState, is_this_machine, read_code_state
from components.registry import stage
from components.run.api import call, find_project, server_url
from components.run.references import is_id
from components.run.start import connect
from components.template import hyperparameters
from pipelines import preflight, queues, recipe, tasks
from pipelines.recipe import RECIPE, Plan, Recipe

MODULE = "pipelines.run"
PIPELINE_TAG = "pipeline"
VERSION = "1.0.0"
_LETTING_GO = 30.0
"""Seconds after which an agent that still reports an ended task counts as dead."""


def launch(
    wanted: Recipe, code_mode: str = "auto", queue: str | None = None
) -> tuple[str, list[str]]:
    """Start a pipeline.

    Args:
        wanted: what to run.
        code_mode: where agents get the code, see `components.code.read_code_state`.
        queue: queue of the controller, in place of the parameter `queue.services`.

    Returns:
        The id of the controller's task, and a line for each queue that no agent serves now.

    Raises:
        ValueError: one line for each thing that is wrong; nothing was started.
    """
    plan = recipe.check(settled(wanted, {"queue_services": queue} if queue else {}))
    server = connect()
    code = read_code_state(server, code_mode)
    preflight.settle(plan, is_this_machine(server))
    return launch_checked(plan, code)


def launch_checked(plan: Plan, code: CodeState, parent: str = "") -> tuple[str, list[str]]:
    """Start a pipeline that was checked.

    Args:
        plan: what to run, with every parameter's value.
        code: the code that the controller and the stages shall run.
        parent: task that the controller's is a child of, if any.

    Returns:
        The id of the controller's task, and a line for each queue that no agent serves now.

    Raises:
        ValueError: there is no such queue as the controller's; nothing was started.
    """
    home = plan.run.queue_services
    known = queues.read_queues()
    controller: Mapping[str, list[str]] = {home: ["the controller"]}
    if problems := queues.missing(controller, known):
        raise ValueError("\n".join(problems))
    warnings = queues.unserved({**plan.queues, **controller}, known)
    warnings += queues.too_few(plan.agents_at_once, known)
    made = _make(plan, code, parent)
    tasks.enqueue(made, known[home].id)
    return made, warnings


def settled(wanted: Recipe, more: Mapping[str, str] = MappingProxyType({})) -> Recipe:
    """Give a recipe its name and every parameter's value, in words that agents understand too.

    Args:
        wanted: what to run.
        more: further parameters.
    """
    values = wanted.values() | dict(more)
    if values.get("data_source"):
        values["data_source"] = preflight.absolute_source(values["data_source"])
    return replace(wanted, parameters=values, name=wanted.name or wanted.pipeline)


def _make(plan: Plan, code: CodeState, parent: str) -> str:
    """Make the controller's task."""
    body = controller_body(plan, code, plan.recipe.parameters)
    if parent:
        body["parent"] = parent
    made: str = call("tasks.create", project=pipeline_project(plan.recipe), **body)["id"]
    call("tasks.edit", task=made, runtime={"version": VERSION}, force=True)
    return made


def controller_body(plan: Plan, code: CodeState, values: Mapping[str, str]) -> dict[str, Any]:
    """Write the task of a pipeline's controller, as the web UI expects one.

    Args:
        plan: what to run.
        code: the code that it shall run.
        values: every parameter's value.
    """
    options = [parameter.option for parameter in plan.recipe.known_parameters().values()]
    sections = hyperparameters(options, values, code)
    sections["properties"] = {
        "version": {"section": "properties", "name": "version", "value": VERSION, "type": "str"}
    }
    return {
        "name": plan.recipe.name,
        "type": "controller",
        "system_tags": [PIPELINE_TAG],
        "comment": plan.recipe.graph.title,
        "script": code.script(MODULE),
        "hyperparams": sections,
        "configuration": {
            RECIPE: {"name": RECIPE, "type": "yaml", "value": plan.recipe.to_yaml()},
            "Pipeline": {"name": "Pipeline", "type": "dictionary", "value": _drawing(plan)},
        },
    }


def _drawing(plan: Plan) -> str:
    """Write the graph for the web UI, which shows it before the controller runs."""
    steps = {
        step.stage: {
            "parents": step.parents,
            "queue": plan.queue(step.stage),
            "status": "pending",
            "job_id": None,
            "job_type": stage(step.stage).task_type,
            "job_started": None,
            "job_ended": None,
            "job_code_section": None,
            "stage": step.stage,
            "parameters": {f"Args/{n}": v for n, v in plan.options[step.stage].items()}
            | {f"Args/{n}": str(reference) for n, reference in step.inputs.items()},
        }
        for step in plan.recipe.graph.steps
    }
    return json.dumps(steps, indent=2)


def pipeline_project(one: Recipe) -> str:
    """Find or make the project where ClearML keeps the runs of a pipeline."""
    parent = f"{one.project}/.pipelines"
    for name, tags in ((parent, ["hidden"]), (f"{parent}/{one.name}", [PIPELINE_TAG, "hidden"])):
        if find_project(name) is None:
            call("projects.create", name=name, description="", system_tags=tags)
    found = find_project(f"{parent}/{one.name}")
    if found is None:
        raise RuntimeError(f"project {parent}/{one.name} was deleted at this moment")
    return found


def find_pipeline(reference: str) -> dict[str, Any]:
    """Find a pipeline's run by the id of its controller's task, or the newest one by name.

    Raises:
        ValueError: there is none.
    """
    wanted: dict[str, Any] = {"id": [reference]} if is_id(reference) else {
        "name": rf"^{re.escape(reference)}( #\d+)?$"
    }  # fmt: skip
    found = call(
        "tasks.get_all",
        **wanted,
        type=["controller"],
        order_by=["-created"],
        only_fields=["id", "name", "status", "execution.queue", "last_update", "hyperparams.Args"],
        search_hidden=True,
        page=0,
        page_size=1,
    )["tasks"]
    if not found:
        raise ValueError(f"no pipeline '{reference}' on {server_url()}; give its id or its name")
    return dict(found[0])


def resume(reference: str, force: bool = False) -> str:
    """Have a pipeline go on that was stopped, failed, or lost its controller.

    Args:
        reference: its id or name.
        force: also if an agent says that it still runs.

    Returns:
        The id of the controller's task.

    Raises:
        ValueError: there is none, it is done, or it runs.
    """
    found = find_pipeline(reference)
    task, status = str(found["id"]), found["status"]
    if status in ("completed", "published", "closed"):
        raise ValueError(f"pipeline {task} is done: start it anew with 'sightline run'")
    if status == "queued":
        raise ValueError(f"pipeline {task} waits in its queue already")
    if status == "in_progress" and task in queues.reported_tasks() and not force:
        raise ValueError(
            f"pipeline {task} still runs, as an agent says; stop it with 'sightline stop {task}', "
            "or give --force if that agent is dead"
        )
    name = (found["hyperparams"]["Args"].get("queue_services") or {}).get("value") or "services"
    known = queues.read_queues()
    if problems := queues.missing({name: ["the controller"]}, known):
        raise ValueError("\n".join(problems))
    if not force:
        _wait_until_let_go(task)
    tasks.put_back(task, known[name].id, "resumed")
    return task


def _wait_until_let_go(task: str) -> None:
    """Wait until the agent that ran a task has ended it: it refuses to run one twice at a time."""
    end = time.monotonic() + _LETTING_GO
    while task in queues.reported_tasks() and time.monotonic() < end:
        time.sleep(0.2)


def stop(reference: str) -> str:
    """Stop a pipeline and its stages; `resume` lets it go on.

    Returns:
        The id of the controller's task.

    Raises:
        ValueError: there is none.
    """
    task = str(find_pipeline(reference)["id"])
    why = "stopped with sightline stop"
    tasks.stop(task, why)
    running = call(
        "tasks.get_all",
        parent=[task],
        status=["queued", "in_progress"],
        only_fields=["id"],
        search_hidden=True,
    )["tasks"]
    for step in running:
        tasks.stop(step["id"], why)
    return task
