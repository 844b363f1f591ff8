"""Trials and objectives in the words of ClearML's optimizer."""

from __future__ import annotations

from clearml.automation import ClearmlJob
from clearml.automation.optimization import MultiObjective

from pipelines.sweep.objectives import SINGLE
from pipelines.sweep.plan import SweepPlan


class Job(ClearmlJob):  # type: ignore[misc]  # the SDK ships no types
    """A trial as ClearML's optimizer sees it. It was made and queued by the strategy."""

    def __init__(self, task: str) -> None:
        """Take up a trial's task, without a copy of it being made."""
        from clearml import Task

        # The constructor of ClearmlJob would clone; only its base's is wanted.
        super(ClearmlJob, self).__init__()
        self.task = Task.get_task(task_id=task)


def objective_metric(plan: SweepPlan) -> MultiObjective:
    """The objectives in ClearML's own words, for what its optimizer offers about them."""
    count = len(plan.objectives)
    return MultiObjective(
        title=[SINGLE] * count,
        series=[one.name for one in plan.objectives],
        order=["max" if one.largest else "min" for one in plan.objectives],
        extremum=[False] * count,
    )
