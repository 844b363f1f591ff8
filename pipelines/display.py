"""A pipeline as ClearML's web UI shows it: graph, plots, progress, and a line on what is wrong.

Private parts of the SDK that are used here, and nowhere else in this folder: `_nodes`,
`_update_nodes_status`, `_add_pipeline_name_run_number` and `_runtime_property_hash` of
`PipelineController`, and `Task._set_runtime_properties`.
"""

from __future__ import annotations

from collections.abc import Mapping

from clearml import PipelineController, Task

from components.registry import stage
from pipelines import state
from pipelines.recipe import Plan
from pipelines.state import PipelineState


class Display(PipelineController):  # type: ignore[misc]  # the SDK ships no types
    """The face of a pipeline. The SDK's own loop never runs (see `pipelines.controller`)."""

    def __init__(self, task: Task, plan: Plan, templates: Mapping[str, str]) -> None:
        """Draw the pipeline up on its controller's task.

        Args:
            task: this process's main task.
            plan: what runs.
            templates: id of each stage's template.
        """
        recipe = plan.recipe
        super().__init__(
            name=recipe.name, project=recipe.project, add_run_number=False, target_project=False
        )
        self.main = task
        self._plan = plan
        self._state = PipelineState(task.id)
        self._shown = ""
        for step in recipe.graph.steps:
            shown = {f"Args/{n}": value for n, value in plan.options[step.stage].items()}
            shown |= {f"Args/{n}": str(reference) for n, reference in step.inputs.items()}
            self._nodes[step.stage] = self.Node(
                name=step.stage,
                base_task_id=templates[step.stage],
                parents=step.parents,
                parameters=shown,
                queue=plan.queue(step.stage),
                cache_executed_step=True,
                stage=step.stage,
            )
        self._add_pipeline_name_run_number(task)
        # Without it the web UI shows every step as pending.
        task._set_runtime_properties({self._runtime_property_hash: task.id})

    def store(self, now: PipelineState) -> None:
        """Keep the state where watchers and a later process of this controller find it."""
        self.main._set_runtime_properties({state.STATE_KEY: now.to_json()})

    def show(self, now: PipelineState) -> None:
        """Show the state, if it has changed."""
        text = now.to_json()
        if text == self._shown:
            return
        self._state = now
        steps = now.steps.values()
        lines = [f"{s.stage} {s.status}: {s.reason}" for s in steps if s.reason]
        self.main.set_comment("\n".join(lines) or self._plan.recipe.graph.title)
        self.store(now)
        ended = sum(step.status in state.ENDED for step in steps)
        self.main.set_progress(round(100 * ended / max(1, len(steps))))
        self.update_execution_plot()
        self._shown = text  # only now: what an outage has cut short is shown again

    def _update_nodes_status(self) -> None:
        """Tell the SDK's drawing code how the steps are; it would ask the server for each."""
        for step in self._state.steps.values():
            node = self._nodes[step.stage]
            node.status = state.QUEUED if step.status == state.WAITING else step.status
            node.executed = step.task or None
            node.job_type = stage(step.stage).task_type
            node.job_started = step.started or None
            node.job_ended = step.ended or None
            node.skip_job = step.status == state.SKIPPED
