"""What every controller's process does: its work, its signals, and the end that follows."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn, Protocol

from components.code import CodeState, read_code_state, refuse_foreign_imports
from components.failure import (
    MACHINE_FAILED,
    OK,
    USER_FAILED,
    Failure,
    say,
)
from components.launch import AGENT_TASK_VARIABLE
from components.run.attempt import Attempt
from components.run.door import SupersededError
from components.template import SECTION
from pipelines.controller import AbortedError
from pipelines.ending import end_as_failed, end_as_stopped, is_mistake
from pipelines.recipe import RECIPE, Recipe
from pipelines.tasks import is_outage

_ABORT_SECONDS = 60.0
"""How long what an aborted controller has started may take to be told."""


class Loop(Protocol):
    """A controller's loop."""

    wake: threading.Event
    """Set to have the loop look at once."""
    terminated: bool
    """Set to have the loop end without touching what it has started."""


class Work(Protocol):
    """What a controller's process does."""

    def run(self, task: Any, attempt: Attempt) -> str:
        """Do it; returns why it didn't go well, or nothing.

        Raises:
            AbortedError: someone has stopped it.
            SupersededError: another process does it now.
        """

    def stop(self, why: str) -> None:
        """Stop all that it has started."""


def run_controller(work: Work, command: str) -> NoReturn:
    """Run a controller in the process that an agent has started for its task, and end it.

    Args:
        work: what to do.
        command: what people run to have it done.
    """
    if not os.environ.get(AGENT_TASK_VARIABLE):
        say(f"this is what agents start; to run it: {command}")
        sys.exit(USER_FAILED)
    from components.run.start import init_task, shed_tags

    task = init_task(task_type="controller", auto_resource_monitoring=False)
    shed_tags(task)
    attempt = Attempt(task)
    try:
        refuse_foreign_imports()
        reason = work.run(task, attempt)
        if not reason:
            attempt.finished()
            task.close()
            sys.stdout.flush()
            os._exit(OK)
        kind = Failure.USER
    except SupersededError as error:
        say(f"{error}; this process ends and leaves everything as it is")
        os._exit(MACHINE_FAILED)
    except AbortedError as error:
        work.stop(str(error))
        end_as_stopped(task, str(error))
    except Exception as error:
        kind = Failure.USER if is_mistake(error) else Failure.MACHINE
        reason = str(error) if kind is Failure.USER else f"{type(error).__name__}: {error}"
        if kind is Failure.MACHINE:
            traceback.print_exception(error)
        _stop_quietly(work, f"the pipeline failed: {reason}")
    end_as_failed(task, attempt, kind, reason)


def _stop_quietly(work: Work, why: str) -> None:
    try:
        work.stop(why)
    except Exception as error:
        say(f"what it has started couldn't be stopped: {error}")


def patiently(action: Callable[[], None]) -> None:
    """Do something that an outage of the server only delays."""
    while True:
        try:
            action()
            return
        except Exception as error:
            if not is_outage(error):
                raise
            time.sleep(2.0)


def parameters_of(task: Any) -> dict[str, str]:
    """Read what stands under `Args/` of a controller's task."""
    prefix = f"{SECTION}/"
    given = task.get_parameters(backwards_compatibility=False)
    return {n.removeprefix(prefix): v for n, v in given.items() if n.startswith(prefix)}


def recipe_of(task: Any) -> Recipe:
    """Read the recipe of a controller's task, without what stands under `Args/`."""
    text = task.get_configuration_object(RECIPE)
    if not text:
        raise ValueError(f"task {task.id} has no configuration object '{RECIPE}'")
    return Recipe.from_yaml(text)


def code_of(task: Any) -> CodeState:
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


def listen(task: Any, loop: Loop) -> None:
    """Leave the end to the loop, which knows whether the stages are to be stopped.

    An agent sends SIGTERM when the pipeline is aborted, and also when it is itself ended. The SDK
    ends the process of an aborted task by itself, unless it is given something to wait for.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.terminated = True
        loop.wake.set()

    def on_abort() -> None:
        loop.wake.set()
        time.sleep(_ABORT_SECONDS)

    signal.signal(signal.SIGTERM, on_signal)
    task.register_abort_callback(on_abort, _ABORT_SECONDS)
