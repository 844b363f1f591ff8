"""Who owns a task: each start of its process is an attempt, and only the last one may write.

A worker that was given up for lost may come back while another already runs the task. Its reports
overwrite equal ones and do no harm; a checkpoint or a result from it would.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from components.failure import KIND_KEY, MESSAGE_KEY
from components.run.api import call
from components.run.door import SupersededError

ATTEMPT_KEY = "sightline_attempt"
STARTED_KEY = "sightline_started"
"""When the process was created, in seconds since 1970."""
FINISHED_KEY = "sightline_finished"
"""When the result was whole."""


def process_start() -> float:
    """When this process was created, in seconds since 1970.

    psutil's answer is off by up to a second on Linux, where it knows the boot time in whole ones.
    """
    stat = Path("/proc/self/stat")
    if not stat.exists():
        return psutil.Process().create_time()
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


class Attempt:
    """One start of a task's process."""

    def __init__(self, task: Any) -> None:
        """Take the task over: from now on all earlier attempts are superseded."""
        self.id = uuid.uuid4().hex
        self._task = task
        self._set(
            {
                ATTEMPT_KEY: self.id,
                STARTED_KEY: f"{process_start():.3f}",
                FINISHED_KEY: "",
                KIND_KEY: "",
                MESSAGE_KEY: "",
            }
        )

    def _set(self, properties: dict[str, str]) -> None:
        # Runtime properties are written as a whole; the SDK's own door merges under its lock.
        self._task._set_runtime_properties(properties)

    def look(self) -> bool:
        """Ask the server about the task, and tell whether someone wants it to stop.

        A task that was stopped and not yet enqueued again is still ours: a user's abort of a run
        from a shell looks like that, and what there is may be kept.

        Raises:
            SupersededError: another attempt owns the task, or may start at any moment.
        """
        found = call(
            "tasks.get_all",
            id=[self._task.id],
            only_fields=["status", "status_message", f"runtime.{ATTEMPT_KEY}"],
            search_hidden=True,
        )["tasks"]
        task = found[0] if found else {}
        ours = (task.get("runtime") or {}).get(ATTEMPT_KEY) == self.id
        if not ours or task.get("status") not in ("in_progress", "stopped"):
            raise SupersededError(f"task {self._task.id} has been taken over or ended")
        # An agent is told by this word in the message; so are we.
        stopping = "stopping" in str(task.get("status_message") or "").lower()
        return stopping or task["status"] == "stopped"

    def check(self) -> None:
        """Make sure that this attempt may write.

        Raises:
            SupersededError: it may not.
        """
        self.look()

    def finished(self) -> None:
        """Note when the result was whole."""
        self._set({FINISHED_KEY: f"{time.time():.3f}"})

    def failed(self, kind: str, message: str) -> None:
        """Note whose failure ended the task."""
        self._set({KIND_KEY: kind, MESSAGE_KEY: message[:1000]})


class Throttle:
    """Lets something happen at most once in so many seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._last: float | None = None

    def __call__(self) -> bool:
        """Tell whether it may happen now, and if so, count it."""
        now = self._clock()
        if self._last is not None and now - self._last < self.seconds:
            return False
        self._last = now
        return True
