"""What a sweep's page shows while it runs and at its end: its trials, and what they tell."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial, TrialState

from pipelines import state
from pipelines.sweep.plan import SweepPlan
from pipelines.sweep.space import texts
from pipelines.sweep.study import Study
from pipelines.sweep.trials import Trial, said

_TITLE = "Sweep"
_ENOUGH = 2
"""Whole trials that a plot of their relations takes."""


def best_trials(plan: SweepPlan, trials: Sequence[Trial], study: Study) -> list[Trial]:
    """List the best whole trials that keep the constraints, the best first.

    With several objectives these are the ones that no other beats in all of them, in the order of
    the first objective.
    """
    good = [one for one in trials if one.status == state.COMPLETED and one.feasible]
    first = plan.objectives[0]
    good.sort(key=lambda one: (one.values[first.name] * (-1 if first.largest else 1), one.number))
    if len(plan.objectives) == 1:
        return good
    front = {trial.number for trial in study.trials.best_trials}
    return [one for one in good if one.number in front]


def trial_table(plan: SweepPlan, trials: Sequence[Trial]) -> list[list[str]]:
    """Write the trials as rows below a row of column names."""
    wanted = [one.name for one in plan.objectives] + [one.name for one in plan.constraints]
    figures = list(dict.fromkeys(wanted))
    columns = ["trial", "status", *figures, *plan.space.names, "seconds", "task", "reason"]
    rows = [columns]
    for one in sorted(trials, key=lambda one: one.number):
        drawn = texts(one.drawn)
        rows.append(
            [
                str(one.number),
                one.status if one.feasible else f"{one.status}, misses a constraint",
                *(said(one.values[name]) if name in one.values else "" for name in figures),
                *(drawn.get(name, "") for name in plan.space.names),
                "" if one.seconds is None else f"{one.seconds:.1f}",
                one.task,
                one.reason,
            ]
        )
    return rows


class Summary:
    """Reports the state of a sweep to its task."""

    def __init__(self, task: Any, plan: SweepPlan) -> None:
        """Report to this task."""
        self._task = task
        self._plan = plan
        self._scalars: set[int] = set()

    def report(self, trials: Sequence[Trial], study: Study) -> None:
        """Report everything as it is now, in place of what was reported before."""
        logger = self._task.get_logger()
        logger.report_table(_TITLE, "Trials", 0, table_plot=trial_table(self._plan, trials))
        self._report_scalars(logger, trials)
        for series, draw in self._plots(study):
            figure = _drawn(draw)
            if figure is not None:
                logger.report_plotly(_TITLE, series, figure=figure, iteration=0)

    def report_end(self, trials: Sequence[Trial], study: Study) -> None:
        """Report everything for good, with the best figures as single values and an artifact."""
        self.report(trials, study)
        logger = self._task.get_logger()
        for status in (state.COMPLETED, state.PRUNED, state.FAILED):
            count = sum(one.status == status for one in trials)
            logger.report_single_value(f"trials {status}", count)
        best = best_trials(self._plan, trials, study)
        for objective in self._plan.objectives if best else ():
            values = [one.values[objective.name] for one in best]
            chosen = max(values) if objective.largest else min(values)
            logger.report_single_value(f"best {objective.name}", chosen)
        table = trial_table(self._plan, trials)
        rows = [dict(zip(table[0], row, strict=True)) for row in table[1:]]
        content = {"trials": rows, "best": [one.number for one in best]}
        self._task.upload_artifact("sweep", content, wait_on_upload=True, retries=3)

    def _report_scalars(self, logger: Any, trials: Sequence[Trial]) -> None:
        for objective in self._plan.objectives:
            best: float | None = None
            for one in sorted(trials, key=lambda one: one.number):
                if one.status != state.COMPLETED:
                    continue
                value = one.values[objective.name]
                if one.feasible:
                    choose = max if objective.largest else min
                    best = value if best is None else choose(best, value)
                if best is not None:
                    logger.report_scalar(objective.name, "best so far", best, one.number)
                if one.number not in self._scalars:
                    logger.report_scalar(objective.name, "trial", value, one.number)
        self._scalars |= {one.number for one in trials if one.status == state.COMPLETED}

    def _plots(self, study: Study) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Name the plots that there is enough for, each with what draws it."""
        from optuna import visualization as draw

        found = _plain(study.trials)
        whole = found.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if not whole:
            return
        one = len(self._plan.objectives) == 1
        for index, objective in enumerate(self._plan.objectives):
            name = objective.name
            named = "" if one else f": {name}"
            # Optuna takes no target for a study's only objective where it marks the best.
            given: dict[str, Any] = {"target_name": name}
            if not one:
                given["target"] = _value_of(index)
            yield f"History{named}", _call(draw.plot_optimization_history, found, given)
            if len(whole) >= _ENOUGH:
                yield (
                    f"Parallel coordinates{named}",
                    _call(draw.plot_parallel_coordinate, found, given),
                )
                yield f"Slices{named}", _call(draw.plot_slice, found, given)
                yield f"Importances{named}", _call(draw.plot_param_importances, found, given)
        if not one and len(self._plan.objectives) <= 3:
            names = {"target_names": [objective.name for objective in self._plan.objectives]}
            yield "Pareto front", _call(draw.plot_pareto_front, found, names)
        if self._plan.options.pruner != "none":
            yield "Curves", _call(draw.plot_intermediate_values, found, {})


def _value_of(index: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: trial.values[index]


def _call(draw: Callable[..., Any], study: OptunaStudy, given: dict[str, Any]) -> Any:
    return lambda: draw(study, **given)


def _drawn(draw: Callable[[], Any]) -> Any:
    """Draw a plot; None if Optuna finds too little in the trials for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return draw()
        except (ValueError, RuntimeError):
            return None  # such as importances of trials that are all as good as another


def _plain(study: OptunaStudy) -> OptunaStudy:
    return copy.deepcopy(study)
