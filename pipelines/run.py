"""The process of a pipeline's controller: `python -m pipelines.run`, started by an agent.

Everything that it needs is on its task: the parameters under `Args/`, the configuration object
"Recipe", and the script section, whose code the stages run too. A clone of the task, as the web
UI's NEW RUN makes one, is therefore the same pipeline with other parameters.
"""

from __future__ import annotations

from typing import Any

from components.code import is_this_machine
from components.run.api import server_url
from components.run.attempt import Attempt
from pipelines import recipe, report, tasks
from pipelines.controller import Controller
from pipelines.preflight import settle
from pipelines.process import (
    code_of,
    listen,
    parameters_of,
    patiently,
    recipe_of,
    run_controller,
)
from pipelines.state import stored_state


class PipelineWork:
    """Runs the pipeline of this process's task."""

    def __init__(self) -> None:
        self._controller: Controller | None = None

    def run(self, task: Any, attempt: Attempt) -> str:
        """Run it; returns why not every stage ended well, or nothing."""
        wanted = recipe_of(task).with_parameters(parameters_of(task))
        plan = settle(recipe.check(wanted), is_this_machine(server_url()))
        own = tasks.read_task(task.id, ["runtime"]) or {"id": task.id}
        controller = Controller(task, attempt.id, plan, code_of(task), stored_state(own))
        self._controller = controller
        listen(task, controller)
        well = controller.run()
        patiently(lambda: report.lift(task, controller.state, plan))
        return "" if well else controller.state.reason or "not every stage ran"

    def stop(self, why: str) -> None:
        """Stop its stages."""
        if self._controller is not None:
            self._controller.stop_steps(why)


if __name__ == "__main__":
    run_controller(PipelineWork(), "sightline run RECIPE.yaml")
