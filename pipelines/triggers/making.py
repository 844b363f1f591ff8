"""Triggers on the server: made, listed, stopped and started again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from components.code import is_this_machine, read_code_state
from components.drafts import put_draft
from components.options import Layer, configure, flatten, nearest, options_of
from components.run.api import call, find_or_create_project, find_project
from components.run.references import is_id, not_found
from components.run.start import connect
from components.run.tracked_datasets import FINISHED, find_dataset
from components.template import hyperparameters
from pipelines import queues, recipe, tasks
from pipelines.launch import controller_body, pipeline_project, settled
from pipelines.recipe import Recipe, dotted
from pipelines.triggers.options import TriggerOptions
from pipelines.triggers.service import KNOWN

MODULE = "pipelines.triggers.service"
TAG = "trigger"
_FOLDER = "Triggers"
_ACTIVE = ("queued", "in_progress")
_FIELDS = ["id", "name", "status", "comment", "created", "status_message", "hyperparams.Args"]


@dataclass(frozen=True)
class Trigger:
    """A trigger's service task."""

    id: str
    name: str
    status: str
    comment: str
    """What it did last, or what hinders it."""


def make(
    wanted: Recipe, given: dict[str, Any], queue: str = "services", code_mode: str = "auto"
) -> tuple[Trigger, bool]:
    """Put a trigger on its queue, unless it is on it or runs.

    Args:
        wanted: the pipeline that it starts.
        given: its options, but for the pipeline's id.
        queue: of the trigger's service.
        code_mode: where agents get the code, see `components.code.read_code_state`.

    Returns:
        The trigger, and whether it was made now. In any case it starts the pipeline with the code
        and the options of now.

    Raises:
        ValueError: one line for each thing that is wrong; nothing was made.
    """
    into = _target(wanted, given)
    checked = settled(wanted, {into: "filled in by the trigger"} if into else {})
    plan = recipe.check(checked, draft=True)
    server = connect()
    code = read_code_state(server, code_mode)
    given = (
        {"poll": "5" if is_this_machine(server) else "60"}
        | given
        | {"into": into, "queue": plan.run.queue_services}
    )
    if given["on"] != "schedule":
        given["watched"] = _watched(given["on"], given["watched"], wanted.project)
    options = configure(TriggerOptions, [Layer("", {"pipeline": "-", **given})])
    wanted_queues = {queue: ["the trigger"], plan.run.queue_services: ["the controller"]}
    if problems := queues.missing({**wanted_queues, **plan.queues}, queues.read_queues()):
        raise ValueError("\n".join(problems))
    values = dict(plan.recipe.parameters) | ({into: ""} if into else {})
    shown = replace(plan.recipe, parameters=values)
    name = f"{options.said()} starts {plan.recipe.name}"
    base, _ = put_draft(
        pipeline_project(shown), name, controller_body(replace(plan, recipe=shown), code, values)
    )
    options = options.model_copy(update={"pipeline": base})
    home = find_or_create_project(f"{wanted.project}/{_FOLDER}")
    for known in _read(project=[home], name=f"^{re.escape(name)}$"):
        if known.status in _ACTIVE:
            return known, False
    made: str = call(
        "tasks.create",
        project=home,
        name=name,
        type="service",
        tags=[TAG],
        comment=f"waits for {options.said()}",
        script=code.script(MODULE),
        hyperparams=hyperparameters(options_of(TriggerOptions), flatten(options), code),
    )["id"]
    # What is there by now is no news. What comes from now on has changed after the task was made.
    old = {} if options.on == "schedule" else _present(options)
    listing = {"name": KNOWN, "type": "json", "value": json.dumps(old)}
    call("tasks.edit", task=made, configuration={KNOWN: listing})
    tasks.enqueue(made, queues.read_queues()[queue].id)
    return Trigger(made, name, "queued", ""), True


def _target(wanted: Recipe, given: dict[str, Any]) -> str:
    """Find the pipeline's parameter that takes the id of what has come.

    Raises:
        ValueError: there is none of this name, or it must be named.
    """
    into = str(given.get("into") or "").replace(".", "_")
    known = wanted.known_parameters()
    if into and given["on"] == "schedule":
        raise ValueError("into: a schedule has no id to hand on")
    if into and into not in known:
        near = nearest(into, list(known))
        hint = f"did you mean '{near}'?" if near else f"it has: {', '.join(map(dotted, known))}"
        raise ValueError(f"into: pipeline {wanted.pipeline} has no parameter '{into}'; {hint}")
    if into or given["on"] != "dataset":
        return into
    if "ingest" in wanted.graph.stages:
        raise ValueError(
            f"pipeline {wanted.pipeline} makes its dataset itself: take one that starts from a "
            "prepared dataset (pipeline: train-eval), or say with --into which parameter takes "
            "the version's id"
        )
    return "dataset"


def _watched(kind: str, reference: str, project: str) -> str:
    """Give what is watched its full name.

    Raises:
        ValueError: there is no such dataset.
    """
    if kind == "model":
        return reference if "/" in reference else f"{project}/{reference}"
    found = tasks.read_task(find_dataset(reference, project), ["project"])
    if found is None or "@" in reference:
        raise ValueError(f"dataset '{reference}': name a dataset of the server, without a version")
    name = call("projects.get_by_id", project=found["project"])["project"]["name"]
    return str(name).replace("/.datasets/", "/")


def _present(options: TriggerOptions) -> Sequence[str]:
    """List the ids of what an event would be about, were it new."""
    home, _, name = options.watched.rpartition("/")
    if options.on == "dataset":
        found = call(
            "tasks.get_all",
            project=[find_project(f"{home}/.datasets/{name}")],
            system_tags=["dataset"],
            status=list(FINISHED),
            only_fields=["id"],
            search_hidden=True,
        )["tasks"]
    else:
        project = find_project(home)
        if project is None:
            raise ValueError(f"watched: there is no project {home}")
        found = call(
            "models.get_all",
            project=[project],
            name=f"^{re.escape(name)}$",
            tags=[options.tag],
            only_fields=["id"],
        )["models"]
    return [one["id"] for one in found]


def listed() -> list[Trigger]:
    """List all triggers, the newest first."""
    return _read()


def _read(**query: Any) -> list[Trigger]:
    found = call(
        "tasks.get_all",
        **query,
        type=["service"],
        tags=[TAG],
        system_tags=["-archived"],
        order_by=["-created"],
        only_fields=_FIELDS,
        search_hidden=True,
    )["tasks"]
    return [
        Trigger(
            task["id"],
            task["name"],
            task["status"],
            str((task["status"] == "failed" and task.get("status_message")) or task.get("comment")),
        )
        for task in found
    ]


def find(reference: str) -> Trigger:
    """Find a trigger by its id, the beginning of its id, or its name.

    Raises:
        ValueError: there is none, or several.
    """
    known = listed()
    found = [one for one in known if reference in (one.id, one.name)]
    if not found and len(reference) >= 4:
        found = [one for one in known if one.id.startswith(reference)]
    active = [one for one in found if one.status in _ACTIVE]
    found = active or found
    if not found:
        raise not_found(
            "trigger", reference, [] if is_id(reference) else [one.name for one in known]
        )
    if len(active) > 1:
        raise ValueError(f"several triggers are called '{reference}': give an id")
    return found[0]


def stop(reference: str) -> Trigger:
    """Stop a trigger. The pipelines that it has started run on.

    Raises:
        ValueError: there is none, or it doesn't run.
    """
    found = find(reference)
    if found.status not in _ACTIVE:
        raise ValueError(f"trigger {found.id} ({found.name}) doesn't run: it is {found.status}")
    tasks.stop(found.id, "stopped with sightline trigger stop")
    return found


def start(reference: str) -> Trigger:
    """Have a trigger go on that was stopped, failed or killed; what came meanwhile is caught up.

    Raises:
        ValueError: there is none, or an agent says that it runs.
    """
    found = find(reference)
    if found.status == "queued":
        raise ValueError(f"trigger {found.id} waits in its queue already")
    if found.status == "in_progress" and found.id in queues.reported_tasks():
        raise ValueError(f"trigger {found.id} runs already, as an agent says")
    queue = tasks.read_task(found.id, ["execution.queue"]) or {}
    home = (queue.get("execution") or {}).get("queue") or queues.read_queues()["services"].id
    tasks.put_back(found.id, home, "started again")
    return found
