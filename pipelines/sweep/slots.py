"""Where trials can run: queues, their agents, and how many trials may be on their way."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pipelines.queues import read_queues
from pipelines.sweep.plan import SweepPlan

_LOOK_SECONDS = 5.0
"""How often queues and agents are looked at."""


class Slots:
    """The slots of one sweep."""

    def __init__(self, plan: SweepPlan) -> None:
        """Take the sweep's queues, and the number of trials at a time if it is given."""
        self._plan = plan
        self._ids: dict[str, str] = {}
        self._agents: dict[str, int] = {}
        self._looked: float | None = None

    def parallel(self) -> int:
        """Trials that may wait or run at a time."""
        if self._plan.options.parallel:
            return self._plan.options.parallel
        self._look()
        return max(1, sum(self._agents.values()))

    def freest(self, busy: Sequence[str]) -> str:
        """Find the queue with the fewest trials for each of its agents.

        Args:
            busy: the queue of each trial that waits or runs.
        """
        self._look()

        def load(name: str) -> tuple[bool, float]:
            agents = self._agents.get(name, 0)
            return agents == 0, busy.count(name) / max(1, agents)

        return min(self._plan.queues, key=load)

    def queue_id(self, name: str) -> str:
        """Find a queue's id.

        Raises:
            ValueError: it is gone.
        """
        if name not in self._ids:
            self._looked = None
            self._look()
        if name not in self._ids:
            raise ValueError(f"the queue '{name}' is gone; make it again, or run with another one")
        return self._ids[name]

    def _look(self) -> None:
        if self._looked is not None and time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        known = read_queues()
        self._ids = {queue.name: queue.id for queue in known.values()}
        counted: set[str] = set()
        self._agents = {}
        for name in self._plan.queues:
            if name in known:  # an agent of two queues runs one trial at a time
                self._agents[name] = len(set(known[name].agents) - counted)
                counted |= set(known[name].agents)
        self._looked = time.monotonic()
