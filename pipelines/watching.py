"""How the tasks of a pipeline are, as far as it can be seen from the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pipelines import recovery, tasks
from pipelines.parameters import RunOptions
from pipelines.queues import LIVE_SECONDS, Queue, read_queues, reported_tasks
from pipelines.recovery import Decision, Limits
from pipelines.state import StepState

_LOOK_AROUND_SECONDS = 5.0
"""How often queues and agents are looked at, and only while a task waits or is silent."""
_QUIET_SECONDS = 8.0
"""A task that is silent for less is surely well."""


class Lookout:
    """Watches tasks for signs of life, and tells what to do about each."""

    def __init__(self, run: RunOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch with the patience that the pipeline's parameters ask for."""
        self._limits = Limits(run.retries, run.put_backs, run.lost_after, run.patience)
        # An agent that is silent for as long as a lost task is no better off than the task.
        self._last_seen = min(LIVE_SECONDS, run.lost_after)
        self._clock = clock
        self._signs: dict[str, tuple[str, float]] = {}
        """Last sign of life of each task and when we saw it. The server's clock isn't ours."""
        self._unserved: dict[str, float] = {}
        self._queues: Mapping[str, Queue] = {}
        self._reported: set[str] = set()
        self._looked: float | None = None

    def decide(self, own: StepState, task: Mapping[str, Any]) -> Decision:
        """Tell what to do about a stage's task.

        Args:
            own: the stage.
            task: its task, as `tasks.look` reads it.
        """
        now = self._clock()
        sign = f"{task['status']} {task.get('last_update')}"
        if own.task not in self._signs or self._signs[own.task][0] != sign:
            self._signs[own.task] = (sign, now)
        silent = now - self._signs[own.task][1]
        waits = task["status"] == "queued"
        if waits or silent > _QUIET_SECONDS:
            self._look_around(now)
        queue = self._queues.get(own.queue)
        served = queue is None or bool(queue.agents)
        if waits and not served:
            self._unserved.setdefault(own.task, now)
        else:
            self._unserved.pop(own.task, None)
        seen = tasks.sight(
            task,
            silent_s=silent,
            reported=own.task in self._reported,
            in_queue=queue is None or own.task in queue.waiting,
            served=served,
            unserved_s=now - self._unserved.get(own.task, now),
        )
        return recovery.decide(seen, self._limits, own.retried, own.put_back)

    def advice(self, queue: str) -> str:
        """What to do about a queue that no agent serves."""
        return self._queues[queue].advice if queue in self._queues else ""

    def start_over(self) -> None:
        """Forget how long tasks were silent: nobody could give a sign while the server was away."""
        self._signs.clear()
        self._unserved.clear()
        self._looked = None

    def _look_around(self, now: float) -> None:
        if self._looked is None or now - self._looked > _LOOK_AROUND_SECONDS:
            self._queues = read_queues(self._last_seen)
            self._reported = reported_tasks(self._last_seen)
            self._looked = now
