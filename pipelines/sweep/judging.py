"""What a trial has come to: how it ended, and whether it is to be ended early."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines import tasks
from pipelines.state import PRUNED, RUNNING, StepState
from pipelines.sweep.objectives import find, read_curve, read_figures
from pipelines.sweep.plan import SweepPlan
from pipelines.sweep.space import texts
from pipelines.sweep.study import Outcome, Study, is_whole
from pipelines.sweep.trials import Trial, read_results, read_scalars, said

_CURVE_SECONDS = 2.0
"""How often the curve of a running trial is read."""


class Judge:
    """Judges the trials of one sweep."""

    def __init__(self, plan: SweepPlan, study: Study) -> None:
        """Judge by a sweep's objectives, constraints, limits and pruner."""
        self._plan = plan
        self._study = study
        self._next_look: dict[int, float] = {}
        self._updated: dict[int, str] = {}

    def verdict(self, one: Trial, task: Mapping[str, Any], over: bool) -> str:
        """Tell why a running trial is to be ended early; nothing if it isn't."""
        options = self._plan.options
        if over:
            return "stopped: the sweep's time is over"
        minutes = options.trial_minutes
        started = tasks.moment(task.get("started")) or one.started
        if minutes is not None and started and time.time() - started > minutes * 60.0:
            return f"stopped: it has run for more than {minutes:g} minutes"
        iterations = options.trial_iterations
        if iterations is not None and int(task.get("last_iteration") or 0) > iterations:
            return f"stopped: it has gone beyond {iterations} iterations"
        return self._hopeless(one, task) if options.pruner != "none" else ""

    def _hopeless(self, one: Trial, task: Mapping[str, Any]) -> str:
        """Show the pruner the new points of a trial's curve, one by one."""
        now, updated = time.monotonic(), str(task.get("last_update"))
        if now < self._next_look.get(one.number, 0.0) or self._updated.get(one.number) == updated:
            return ""
        self._next_look[one.number] = now + _CURVE_SECONDS
        curve = read_curve(read_scalars(one.task), self._plan.objectives[0].name)
        self._updated[one.number] = updated
        for step in sorted(set(curve) - set(one.curve)):
            one.curve[step] = curve[step]
            self._study.report(one.number, step, curve[step])
            if self._study.is_hopeless(one.number):
                figure = f"{self._plan.objectives[0].name} {said(curve[step])}"
                return f"pruned: {figure} at step {step}"
        return ""

    def conclude(self, one: Trial, task: Mapping[str, Any]) -> Outcome:
        """Tell how a trial ended whose task has ended, and note its figures.

        Args:
            one: the trial, which is changed.
            task: its task, as `tasks.look` reads it.
        """
        figures = read_figures(read_results([one.task]).get(one.task))
        values = [find(figures, objective.name) for objective in self._plan.objectives]
        limits = {str(c): (c, find(figures, c.name)) for c in self._plan.constraints}
        known = {o.name: v for o, v in zip(self._plan.objectives, values, strict=True)}
        known |= {c.name: v for c, v in limits.values()}
        one.values = {name: value for name, value in known.items() if value is not None}
        if self._plan.options.pruner != "none":
            one.curve = read_curve(read_scalars(one.task), self._plan.objectives[0].name)
        if one.pruned:
            one.reason = one.verdict
            return Outcome("pruned", curve=one.curve)
        if one.given_up:
            one.reason = one.verdict.removeprefix("failed: ")
            return Outcome("failed", curve=one.curve)
        if task["status"] == "failed":  # it was told to end, and broke over it
            one.reason = one.verdict
            return Outcome("failed", curve=one.curve)
        missing = [name for name, value in known.items() if value is None]
        if missing or not is_whole(list(known.values())):
            wrong = f"has reported no {missing[0]}" if missing else f"its {_not_finite(known)}"
            one.reason = f"{one.verdict}; {wrong}" if one.verdict else wrong
            return Outcome("failed", curve=one.curve)
        one.reason = one.verdict
        violations = {
            text: constraint.violation(value)
            for text, (constraint, value) in limits.items()
            if value is not None
        }
        one.feasible = all(violation <= 0 for violation in violations.values())
        whole = tuple(value for value in values if value is not None)
        return Outcome("complete", whole, violations, one.curve)

    def step_of(self, one: Trial) -> StepState:
        """A trial as a pipeline's stage, with what people want to know in a line."""
        figures = [f"{name} {said(value)}" for name, value in one.values.items()]
        if not figures and one.curve and one.status in (RUNNING, PRUNED):
            name = self._plan.objectives[0].name
            figures = [f"{name} {said(one.curve[max(one.curve)])} at step {max(one.curve)}"]
        if not one.feasible:
            figures.append("misses a constraint")
        drawn = ", ".join(f"{name}={_short(value)}" for name, value in texts(one.drawn).items())
        line = " | ".join(part for part in (", ".join(figures), one.reason, drawn) if part)
        plain = {f: getattr(one, f) for f in StepState.__dataclass_fields__}
        return replace(StepState(**plain), reason=line)


def _not_finite(known: Mapping[str, float | None]) -> str:
    name, value = next((n, v) for n, v in known.items() if v is not None and not math.isfinite(v))
    return f"{name} is {value}"


def _short(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value if len(value) <= 24 else f"{value[:21]}…"
    return f"{number:.4g}"
