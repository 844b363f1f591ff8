"""Stopping tasks whose process has gone silent.

A task that runs gives signs of life: pings, events, edits, its worker's reports. One that has
given none for long enough is stopped, with the status and the message that clients of ClearML
Server know. Putting it back on a queue is not our work.
"""

from __future__ import annotations

import logging
import time

from . import clock
from .documents import TASKS
from .registry import Call
from .services.tasks_status import STOPPED, move

log = logging.getLogger(__name__)

MESSAGE = "Forced stop (non-responsive)"


class Watchdog:
    """Looks for silent tasks now and then.

    Args:
        after: Seconds of silence after which a running task is stopped.
    """

    def __init__(self, after: float) -> None:
        self.after = after
        self.interval = max(0.2, min(60.0, after / 4))
        self._started = time.time()

    def run(self, call: Call) -> list[str]:
        """Stop every task that has been silent too long; returns their ids."""
        # Nobody could report while the server was down: silence counts from its start.
        if time.time() - self._started < self.after:
            return []
        limit = clock.from_seconds(time.time() - self.after)
        silent = call.db.select(
            TASKS, "status = 'in_progress' AND last_update < ?", (limit,), heads=()
        )
        for task in silent:
            log.warning(
                "task %s has been silent since %s: stopped", task["id"], task["last_update"]
            )
            move(call, task, STOPPED, MESSAGE, MESSAGE)
        return [task["id"] for task in silent]
