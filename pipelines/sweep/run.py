"""The process of a sweep: `python -m pipelines.sweep.run`, started by an agent.

As with a pipeline, everything that it needs is on its task, so a clone of it is the same sweep
with what was edited: parameters, ranges and options under `Args/`, the rest as "Recipe".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from components.code import CodeState, is_this_machine
from components.registry import stage
from components.run.api import server_url
from components.run.attempt import Attempt
from components.template import template
from pipelines import tasks
from pipelines.process import code_of, listen, parameters_of, patiently, recipe_of, run_controller
from pipelines.state import COMPLETED, STATE_KEY, PipelineState, stored_state
from pipelines.sweep.bases import settled
from pipelines.sweep.closing import ending_lines
from pipelines.sweep.drawing import draw
from pipelines.sweep.plan import STAGE, Sweep, SweepPlan
from pipelines.sweep.releases import start_releases
from pipelines.sweep.trials import Trial

if TYPE_CHECKING:
    from pipelines.sweep.search import Search


class SweepWork:
    """Runs the sweep of this process's task."""

    def __init__(self) -> None:
        self._search: Search | None = None
        self._task: Any = None
        self._shown = ""

    def run(self, task: Any, attempt: Attempt) -> str:
        """Run it; returns why it found nothing, or nothing."""
        for needed in ("optuna", "cmaes"):
            if find_spec(needed) is None:
                raise ValueError(f"{needed} isn't here: pip install 'sightline[sweep]'")
        from pipelines.sweep.search import Search
        from pipelines.sweep.summary import best_trials

        self._task = task
        sweep = Sweep(recipe_of(task)).with_parameters(parameters_of(task))
        plan = settled(sweep, is_this_machine(server_url()))
        code = code_of(task)
        own = tasks.read_task(task.id, ["runtime"]) or {"id": task.id}
        # Without it the web UI shows every trial as pending.
        task._set_runtime_properties({"_pipeline_hash": task.id})
        search = Search(
            task,
            plan,
            base=_base_body(plan, code),
            attempt=attempt.id,
            earlier=stored_state(own),
            store=self._store,
        )
        self._search = search
        listen(task, search.strategy)
        search.run()
        trials = list(search.strategy.trials.values())
        best = best_trials(plan, trials, search.strategy.study)
        whole = sum(one.status == COMPLETED for one in trials)
        reason = "" if whole else f"none of {len(trials)} trials ended well: {_last(trials)}"
        started = start_releases(task.id, plan, code, best) if not reason else {}
        lines = ending_lines(plan, trials, best, started)
        patiently(lambda: self._store(search.strategy.snapshot(lines, reason)))
        return reason

    def stop(self, why: str) -> None:
        """Stop its trials."""
        if self._search is not None:
            self._search.strategy.stop_trials(why)

    def _store(self, now: PipelineState) -> None:
        """Show the state, if it has changed, and keep it where a later process finds it."""
        text = replace(now, seconds=0.0).to_json()
        if text == self._shown:
            return
        steps = now.steps.values()
        counts: dict[str, int] = {}
        for step in steps:
            counts[step.status] = counts.get(step.status, 0) + 1
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        self._task.set_comment("\n".join([f"trials: {said}" if said else "", *(now.ending or ())]))
        self._task._set_runtime_properties({STATE_KEY: now.to_json()})
        self._task.set_configuration_object(
            "Pipeline", config_text=draw(now), config_type="dictionary"
        )
        self._shown = text


def _base_body(plan: SweepPlan, code: CodeState) -> Mapping[str, Any]:
    """Read what the trials are clones of."""
    recipe = plan.sweep.recipe
    found = plan.options.base or template(stage(STAGE), code, recipe.project, recipe.family)
    body = tasks.read_task(found, ["hyperparams", "container"])
    if body is None:
        raise ValueError(f"base: there is no task {found}")
    return body


def _last(trials: Sequence[Trial]) -> str:
    """Why the last trial that failed did."""
    return next((one.reason for one in reversed(trials) if one.reason), "no reason was given")


if __name__ == "__main__":
    run_controller(SweepWork(), "sightline sweep SWEEP.yaml")
