"""What a sweep shows: its table, its plots and its best trials, from trials made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines import state
from pipelines.sweep.plan import Base, SweepPlan, check, read_sweep
from pipelines.sweep.study import Outcome, Record, Study
from pipelines.sweep.summary import Summary, best_trials, trial_table
from pipelines.sweep.trials import Trial

BASE = Base("0" * 32, "", {"x": "0.5", "kind": "a"}, {})
LOSSES = (0.5, 0.2, 0.9, 0.4)
TIMES = (4.0, 9.0, 1.0, 30.0)


class Notebook:
    """Notes what is reported, in place of a task and its logger."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self.tables: dict[str, Any] = {}
        self.scalars: list[tuple[str, str, float, int]] = []
        self.values: dict[str, float] = {}
        self.artifacts: dict[str, Any] = {}

    def get_logger(self) -> Notebook:
        return self

    def report_table(self, title: str, series: str, iteration: int, table_plot: Any) -> None:
        self.tables[series] = table_plot

    def report_plotly(self, title: str, series: str, figure: Any, iteration: int) -> None:
        self.figures[series] = figure

    def report_scalar(self, title: str, series: str, value: float, iteration: int) -> None:
        self.scalars.append((title, series, value, iteration))

    def report_single_value(self, name: str, value: float) -> None:
        self.values[name] = value

    def upload_artifact(self, name: str, content: Any, **_: Any) -> None:
        self.artifacts[name] = content


def swept(*more: str) -> tuple[SweepPlan, list[Trial], Study]:
    """Four whole trials and one that failed."""
    space = ("space.x={low: 0, high: 1}", "space.kind=[a, b]")
    plan = check(read_sweep(None, ["base=" + "0" * 32, *space, *more]), BASE)
    names = [one.name for one in plan.objectives]
    trials, records = [], []
    for number, pair in enumerate(zip(LOSSES, TIMES, strict=True)):
        values = dict(zip(("loss", "ms"), pair, strict=True))
        violations = {str(c): c.violation(values[c.name]) for c in plan.constraints}
        drawn: dict[str, float | str] = {"x": 0.1 + 0.2 * number, "kind": "ab"[number % 2]}
        one = Trial(f"trial {number}", state.COMPLETED, f"task{number}", number=number)
        one.drawn, one.values = dict(drawn), values
        one.feasible = all(violation <= 0 for violation in violations.values())
        trials.append(one)
        end = Outcome("complete", tuple(values[name] for name in names), violations)
        records.append(Record(number, drawn, (), end))
    broken = Trial("trial 4", state.FAILED, "task4", number=4, reason="it broke")
    broken.drawn = {"x": 0.95, "kind": "a"}
    records.append(Record(4, broken.drawn, (), Outcome("failed")))
    study = Study(plan.space, plan.options, [one.direction for one in plan.objectives])
    study.restore(records)
    return plan, [*trials, broken], study


@pytest.mark.parametrize(
    ("more", "best"),
    [
        (("objectives=min loss",), [1, 3, 0, 2]),
        (("objectives=max loss",), [2, 0, 3, 1]),
        (("objectives=min loss", "constraints=ms<=5"), [0, 2]),
        (("objectives=min loss, min ms",), [1, 0, 2]),
        (("objectives=min loss, min ms", "constraints=ms<=5"), [0, 2]),
    ],
)
def test_the_best_keep_the_constraints_and_no_other_beats_them(
    more: tuple[str, ...], best: list[int]
) -> None:
    plan, trials, study = swept(*more)
    assert [one.number for one in best_trials(plan, trials, study)] == best


def test_the_table_has_every_trial() -> None:
    plan, trials, _ = swept("objectives=min loss", "constraints=ms<=5")
    table = trial_table(plan, trials)
    assert table[0] == ["trial", "status", "loss", "ms", "x", "kind", "seconds", "task", "reason"]
    assert table[2][:6] == ["1", "completed, misses a constraint", "0.2", "9", "0.3", "b"]
    assert table[5] == ["4", "failed", "", "", "0.95", "a", "", "task4", "it broke"]


def test_plots_and_figures_of_one_objective() -> None:
    plan, trials, study = swept("objectives=min loss")
    page = Notebook()
    summary = Summary(page, plan)
    summary.report(trials, study)
    summary.report_end(trials, study)
    assert set(page.figures) == {"History", "Parallel coordinates", "Slices", "Importances"}
    assert page.values == {
        **{"trials completed": 4, "trials pruned": 0, "trials failed": 1},
        **{"best loss": 0.2},
    }
    best = [value for _, series, value, _ in page.scalars if series == "best so far"]
    assert best[:4] == [0.5, 0.2, 0.2, 0.2]
    assert sum(series == "trial" for _, series, _, _ in page.scalars) == 4
    assert page.artifacts["sweep"]["best"][0] == 1


def test_plots_of_two_objectives() -> None:
    plan, trials, study = swept("objectives=min loss, min ms", "constraints=ms<=20")
    page = Notebook()
    Summary(page, plan).report(trials, study)
    kinds = ("History", "Slices", "Importances", "Parallel coordinates")
    each = {f"{kind}: {name}" for kind in kinds for name in ("loss", "ms")}
    assert set(page.figures) == each | {"Pareto front"}


def test_a_sweep_without_a_whole_trial_shows_its_table() -> None:
    plan, trials, _ = swept("objectives=min loss")
    study = Study(plan.space, plan.options, ["minimize"])
    page = Notebook()
    Summary(page, plan).report_end(trials[4:], study)
    assert set(page.tables) == {"Trials"} and not page.figures
    assert page.artifacts["sweep"]["best"] == []
