"""The process of a pipeline's controller: `python -m pipelines.run`, started by an agent.

Everything that it needs is on its task: the parameters under `Args/`, the configuration object
"Recipe", and the script section, whose code the stages run too. A clone of the task, as the web
UI's NEW RUN makes one, is therefore the same pipeline with other parameters.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn

from components.code import CodeState, is_this_machine, read_code_state, refuse_foreign_imports
from components.failure import (
    MACHINE_FAILED,
    OK,
    USER_FAILED,
    Failure,
    say,
)
from components.launch import AGENT_TASK_VARIABLE
from components.run.api import server_url
from components.run.attempt import Attempt
from components.run.door import SupersededError
from components.template import SECTION
from pipelines import recipe, report, tasks
from pipelines.controller import AbortedError, Controller
from pipelines.ending import end_as_failed, end_as_stopped, is_mistake
from pipelines.preflight import settle
from pipelines.recipe import RECIPE, Plan, Recipe
from pipelines.state import stored_state

_ABORT_SECONDS = 60.0
"""How long the stages of an aborted pipeline may take to be told."""


def main() -> NoReturn:
    """Run the pipeline of this process's task, and end the process."""
    if not os.environ.get(AGENT_TASK_VARIABLE):
        say("this is what agents start; to run a pipeline: sightline run RECIPE.yaml")
        sys.exit(USER_FAILED)
    from components.run.start import init_task, shed_tags

    task = init_task(task_type="controller", auto_resource_monitoring=False)
    shed_tags(task)
    attempt = Attempt(task)
    controller: Controller | None = None
    try:
        refuse_foreign_imports()
        plan = settle(recipe.check(_recipe_of(task)), is_this_machine(server_url()))
        own = tasks.read_task(task.id, ["runtime"]) or {"id": task.id}
        controller = Controller(task, attempt.id, plan, _code_of(task), stored_state(own))
        _listen(task, controller)
        well = controller.run()
        _lift(task, controller, plan)
        if well:
            attempt.finished()
            task.close()
            sys.stdout.flush()
            os._exit(OK)
        kind, reason = Failure.USER, controller.state.reason or "not every stage ran"
    except SupersededError as error:
        say(f"{error}; this process ends and leaves everything as it is")
        os._exit(MACHINE_FAILED)
    except AbortedError as error:
        if controller is not None:
            controller.stop_steps(str(error))
        end_as_stopped(task, str(error))
    except Exception as error:
        kind = Failure.USER if is_mistake(error) else Failure.MACHINE
        reason = str(error) if kind is Failure.USER else f"{type(error).__name__}: {error}"
        if kind is Failure.MACHINE:
            traceback.print_exception(error)
        if controller is not None:
            _stop_quietly(controller, f"the pipeline failed: {reason}")
    end_as_failed(task, attempt, kind, reason)


def _lift(task: Any, controller: Controller, plan: Plan) -> None:
    """Write the final report; an outage of the server only delays it."""
    while True:
        try:
            report.lift(task, controller.state, plan)
            return
        except Exception as error:
            if not tasks.is_outage(error):
                raise
            time.sleep(2.0)


def _recipe_of(task: Any) -> Recipe:
    text = task.get_configuration_object(RECIPE)
    if not text:
        raise ValueError(f"task {task.id} has no configuration object '{RECIPE}'")
    prefix = f"{SECTION}/"
    given = task.get_parameters(backwards_compatibility=False)
    values = {n.removeprefix(prefix): v for n, v in given.items() if n.startswith(prefix)}
    return replace(Recipe.from_yaml(text), parameters=values)


def _code_of(task: Any) -> CodeState:
    """The code that this process runs, as the task says that it is fetched."""
    script = task.data.script
    # The hashes are of what was really checked out here: the task may have been edited since.
    return replace(
        read_code_state("", "local"),
        repository=script.repository or "",
        branch=script.branch or "",
        commit=script.version_num or "",
        diff=script.diff or "",
        working_dir=script.working_dir or ".",
    )


def _listen(task: Any, controller: Controller) -> None:
    """Leave the end to the loop, which knows whether the stages are to be stopped.

    An agent sends SIGTERM when the pipeline is aborted, and also when it is itself ended. The SDK
    ends the process of an aborted task by itself, unless it is given something to wait for.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        controller.terminated = True
        controller.wake.set()

    def on_abort() -> None:
        controller.wake.set()
        time.sleep(_ABORT_SECONDS)

    signal.signal(signal.SIGTERM, on_signal)
    task.register_abort_callback(on_abort, _ABORT_SECONDS)


def _stop_quietly(controller: Controller, why: str) -> None:
    try:
        controller.stop_steps(why)
    except Exception as error:
        say(f"stages that run couldn't be stopped: {error}")


if __name__ == "__main__":
    main()
