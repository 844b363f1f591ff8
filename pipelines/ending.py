"""How the process of a pipeline or a trigger ends, with its task's status as we say it."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from components.failure import INTERRUPTED, MACHINE_FAILED, USER_FAILED, Failure, is_users, say
from components.run.attempt import Attempt
from components.run.monitor import interrupt_monitor, keep_failure


def is_mistake(error: BaseException) -> bool:
    """Tell whether an error is a user's mistake: a `ValueError` that our own code raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = bool(frames) and Path(frames[-1].filename).is_relative_to(Path(__file__).parent)
    return isinstance(error, ValueError) and (ours or is_users(error))


def end_as_stopped(task: Any, reason: str) -> NoReturn:
    """Mark the task stopped, and end the process."""
    say(reason)
    task.flush(wait_for_uploads=True)
    task.mark_stopped(force=True, status_message=reason)
    interrupt_monitor()
    os._exit(INTERRUPTED)


def end_as_failed(
    task: Any, attempt: Attempt, kind: Failure, reason: str, what: str = "the pipeline"
) -> NoReturn:
    """Mark the task failed with the reason, and end the process."""
    line = reason.strip().split("\n")[0]
    say(f"{what} failed: {reason}")
    attempt.failed(kind, reason)
    task.set_comment(line)
    task.flush(wait_for_uploads=True)
    task.mark_failed(status_reason=line[:200], status_message=reason[:1000], force=True)
    sys.stdout.flush()
    if kind is Failure.USER:
        keep_failure()
    os._exit(USER_FAILED if kind is Failure.USER else MACHINE_FAILED)
