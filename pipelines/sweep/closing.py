"""What a sweep has to say at its end: what was best, and how to go on with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines import cache, state, tasks
from pipelines.sweep.plan import SweepPlan
from pipelines.sweep.space import texts
from pipelines.sweep.trials import Trial, said

_SHOWN = 5


def ending_lines(
    plan: SweepPlan, trials: Sequence[Trial], best: Sequence[Trial], started: Mapping[int, str]
) -> list[str]:
    """Write the result of a sweep for people.

    Args:
        plan: what was swept.
        trials: all of them.
        best: the best ones, the best first.
        started: pipelines that go on with trials, by number.
    """
    counts = {s: sum(one.status == s for one in trials) for s in _ENDS}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    lines = [f"trials    {len(trials)}: {told}"]
    if any(one.status == state.COMPLETED for one in trials) and not best:
        lines.append("best      none: no trial keeps every constraint")
    kind = "best" if len(plan.objectives) == 1 else "front"
    for one in best[: 1 if len(plan.objectives) == 1 else _SHOWN]:
        figures = ", ".join(f"{name} {said(value)}" for name, value in one.values.items())
        drawn = " ".join(f"{name}={value}" for name, value in texts(one.drawn).items())
        model = model_of(one)
        lines.append(f"{kind:<10}trial {one.number}: {figures} (task {one.task})")
        lines.append(f"          with {drawn}")
        if model:
            lines.append(f"          model id {model}")
        if model and one.number not in started:
            lines.append(f"go on     {release_command(plan, model)}")
    for number, pipeline in started.items():
        lines.append(f"goes on   trial {number} as pipeline {pipeline}")
        lines.append(f"          follow it with: sightline watch {pipeline}")
    return lines


_ENDS = (state.COMPLETED, state.PRUNED, state.FAILED, state.ABORTED)


def model_of(one: Trial) -> str:
    """The id of the model that a trial has made; nothing if it made none."""
    task = tasks.read_task(one.task, ["hyperparams.Result"]) or {}
    return cache.result_of(task).get("model", "")


def release_command(plan: SweepPlan, model: str) -> str:
    """The command that goes on with a trial's model."""
    return (
        f"sightline run pipeline=release family={plan.sweep.recipe.family} "
        f"dataset={plan.fixed.get('dataset', '')} trained={model}"
    )
