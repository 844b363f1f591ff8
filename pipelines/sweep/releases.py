"""How the best trials go on: each as a pipeline that tunes, checks, exports and publishes it.

The sweep doesn't wait for them: on a queue that takes one task at a time it would wait for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from components.code import CodeState, is_this_machine
from components.run.api import call, server_url
from pipelines import queues, recipe, tasks
from pipelines.console import log
from pipelines.launch import launch_checked
from pipelines.preflight import settle
from pipelines.recipe import Recipe
from pipelines.sweep.closing import model_of
from pipelines.sweep.plan import STAGE, SweepPlan
from pipelines.sweep.trials import Trial

PIPELINE = "release"


def start_releases(
    sweep: str, plan: SweepPlan, code: CodeState, best: Sequence[Trial]
) -> dict[int, str]:
    """Start the pipelines of the best trials, but for those that an earlier process has started.

    Args:
        sweep: id of the sweep's task, which becomes their parent.
        plan: what was swept; its later stages' options hold for the pipelines.
        code: the code that they shall run.
        best: the best trials, the best first.

    Returns:
        The ids of their controllers' tasks, by number of the trial.
    """
    wanted = list(best[: plan.options.best])
    there = read_releases(sweep)
    started = {}
    for one in wanted:
        if one.number not in there:
            asked = release_recipe(plan, one.number, model_of(one))
            checked = settle(recipe.check(asked), is_this_machine(server_url()))
            there[one.number], _ = launch_checked(replace(checked, recipe=asked), code, sweep)
            log(f"{one.stage} goes on as pipeline {there[one.number]}")
        started[one.number] = there[one.number]
    return started


def release_recipe(plan: SweepPlan, number: int, model: str) -> Recipe:
    """The recipe of what is done with a trial's model."""
    swept = plan.sweep.recipe
    asked = Recipe(
        PIPELINE,
        family=swept.family,
        project=swept.project,
        name=release_name(swept.name, number),
        stages={name: table for name, table in swept.stages.items() if name != STAGE},
    )
    values = asked.values()
    # How often a trial is tried again says nothing about the stages of a pipeline.
    given = {n: v for n, v in swept.parameters.items() if n in values and n != "retries"}
    own = {"trained": model, "dataset": plan.fixed["dataset"]}
    return asked.with_parameters({**values, **given, **own})


def read_releases(sweep: str) -> dict[int, str]:
    """Read which pipelines go on with trials of a sweep; those that were left as drafts start.

    Returns:
        The ids of their controllers' tasks, by number of the trial.
    """
    found = call(
        "tasks.get_all",
        parent=[sweep],
        type=["controller"],
        only_fields=["id", "name", "status", "hyperparams.Args"],
        search_hidden=True,
    )["tasks"]
    known = queues.read_queues() if found else {}
    there = {}
    for task in found:
        number = task["name"].partition(" #")[0].rpartition("-trial-")[2]
        if not number.isdigit():
            continue
        there[int(number)] = task["id"]
        home = (task["hyperparams"]["Args"].get("queue_services") or {}).get("value")
        if task["status"] == "created" and home in known:
            tasks.enqueue(task["id"], known[home].id)
    return there


def release_name(sweep: str, number: int) -> str:
    """Name the pipeline that goes on with a trial; it is told by its name whose it is."""
    return f"{sweep}-trial-{number}"
