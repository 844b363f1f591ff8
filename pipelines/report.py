"""What a pipeline's own task holds at the end: stages, figures, models and the report."""

from __future__ import annotations

import traceback
from typing import Any

from components.run.api import ServerError, call
from pipelines import state, tasks
from pipelines.console import log
from pipelines.page.publishing import publish_page
from pipelines.recipe import Plan
from pipelines.state import PipelineState

COLUMNS = ("stage", "status", "seconds", "task", "reason")


def lift(task: Any, now: PipelineState, plan: Plan) -> None:
    """Lift figures and models of the stages to the pipeline's task, with tables and a report.

    Args:
        task: the controller's task.
        now: how its stages ended.
        plan: what was run.
    """
    logger = task.get_logger()
    figures: dict[str, float] = {}
    for step in now.steps.values():
        if step.status in state.WELL:
            figures |= read_figures(step.task)
            _lift_models(task.id, step.stage, step.task)
    for name, value in figures.items():
        logger.report_single_value(name, value)
    logger.report_table("Report", "Stages", 0, table_plot=[list(COLUMNS), *stage_rows(now)])
    if figures:
        rows = [[name, f"{value:.6g}"] for name, value in figures.items()]
        logger.report_table("Report", "Figures", 0, table_plot=[["figure", "value"], *rows])
    try:
        log(f"the report: {publish_page(task, now, plan, figures)}")
    except Exception as error:
        # What the pipeline was run for is there; a page about it mustn't be what it fails by.
        if tasks.is_outage(error):
            raise
        traceback.print_exception(error)
        log(f"note: there is no report: {type(error).__name__}: {error}")


def stage_rows(now: PipelineState) -> list[list[str]]:
    """Write the stages as rows under `COLUMNS`."""
    return [
        [
            step.stage,
            step.status,
            "" if step.seconds is None else f"{step.seconds:.1f}",
            step.task,
            step.reason,
        ]
        for step in now.steps.values()
    ]


def read_figures(task: str) -> dict[str, float]:
    """Read the single values that a task has reported; the later stage's wins a name."""
    found = call("events.get_task_single_value_metrics", tasks=[task])["tasks"]
    values = found[0]["values"] if found else []
    return {
        str(one["variant"]): float(one["value"])
        for one in values
        if isinstance(one.get("value"), int | float)
    }


def _lift_models(pipeline: str, stage: str, task: str) -> None:
    found = call("tasks.get_all", id=[task], only_fields=["models.output"], search_hidden=True)
    models = (found["tasks"][0].get("models") or {}).get("output") or [] if found["tasks"] else []
    for entry in models:
        model = entry["model"] if isinstance(entry["model"], str) else entry["model"]["id"]
        try:
            call(
                "tasks.add_or_update_model",
                task=pipeline,
                name=f"{stage}: {entry['name']}",
                type="output",
                model=model,
            )
        except ServerError as error:
            if error.code != 400:  # the model was deleted meanwhile
                raise
