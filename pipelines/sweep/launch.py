"""Start a sweep: check everything, make its task and put it on its queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.code import CodeState, is_this_machine, read_code_state
from components.options import Option, options_of
from components.registry import stage
from components.run.api import call
from components.run.start import connect
from components.template import hyperparameters
from pipelines import queues, tasks
from pipelines.launch import PIPELINE_TAG, VERSION, pipeline_project
from pipelines.recipe import RECIPE
from pipelines.sweep.bases import settled
from pipelines.sweep.options import SweepOptions
from pipelines.sweep.plan import PREFIX, STAGE, Sweep, SweepPlan, check

MODULE = "pipelines.sweep.run"
_TITLE = "Search for the best options of a training, many trials at a time."


def launch_sweep(
    wanted: Sweep, code_mode: str = "auto", queue: str | None = None
) -> tuple[str, list[str]]:
    """Start a sweep.

    Args:
        wanted: what to sweep.
        code_mode: where agents get the code, see `components.code.read_code_state`.
        queue: queue of the sweep's own task, in place of the parameter `queue.services`.

    Returns:
        The id of its task, and a line for each queue that no agent serves now.

    Raises:
        ValueError: one line for each thing that is wrong; nothing was started.
    """
    if queue:
        given = {**wanted.recipe.parameters, "queue_services": queue}
        wanted = replace(wanted, recipe=replace(wanted.recipe, parameters=given))
    server = connect()
    code = read_code_state(server, code_mode)
    plan = settled(wanted, is_this_machine(server))
    home = plan.run.queue_services
    known = queues.read_queues()
    controller = {home: ["the sweep's own task"]}
    if problems := queues.missing(controller, known):
        raise ValueError("\n".join(problems))
    users = {**{name: ["the trials"] for name in plan.queues}, **controller}
    made = _make(plan, code)
    tasks.enqueue(made, known[home].id)
    return made, queues.unserved(users, known)


def check_offline(wanted: Sweep) -> None:
    """Check all that can be checked without a server, before the SDK is loaded.

    Raises:
        OptionError: one line for each mistake.
    """
    if not wanted.options.get("base"):
        check(wanted)


def _make(plan: SweepPlan, code: CodeState) -> str:
    """Make the sweep's task."""
    home = pipeline_project(plan.sweep.recipe)
    made: str = call("tasks.create", project=home, **sweep_body(plan, code))["id"]
    call("tasks.edit", task=made, runtime={"version": VERSION}, force=True)
    return made


def sweep_body(plan: SweepPlan, code: CodeState) -> dict[str, Any]:
    """Write the task of a sweep, as the web UI expects a pipeline's.

    Args:
        plan: what to sweep.
        code: the code that it and its trials shall run.
    """
    asked = plan.sweep
    given = asked.parameters()
    options = _options(plan)
    values = {one.name: given.get(one.name, _default(one)) for one in options}
    sections = hyperparameters(options, values, code)
    sections["properties"] = {
        "version": {"section": "properties", "name": "version", "value": VERSION, "type": "str"}
    }
    return {
        "name": asked.recipe.name,
        "type": "controller",
        "system_tags": [PIPELINE_TAG],
        "comment": _TITLE,
        "script": code.script(MODULE),
        "hyperparams": sections,
        "configuration": {
            RECIPE: {"name": RECIPE, "type": "yaml", "value": asked.recipe.to_yaml()},
            "Pipeline": {"name": "Pipeline", "type": "dictionary", "value": json.dumps({})},
        },
    }


def _options(plan: SweepPlan) -> list[Option]:
    """All that stands under `Args/` of a sweep's task."""
    recipe = plan.sweep.recipe
    about: Mapping[str, Option] = {
        one.name: one for one in options_of(stage(STAGE).config_type(recipe.family))
    }
    space = []
    for name in plan.sweep.space:
        one = about.get(name) if plan.plan else None
        said = f"{one.expected}: {one.description}" if one else f"the option {name}"
        description = f"Searched: {{low: …, high: …}}, [choices], or empty for none. {said}"
        space.append(Option(f"{PREFIX}{name}", str, (), "", description))
    parameters = [
        one.option for one in recipe.known_parameters().values() if plan.plan or not one.targets
    ]
    return [*options_of(SweepOptions), *space, *parameters]


def _default(option: Option) -> str:
    from components.options import encode

    return "" if option.required else encode(option.default)
