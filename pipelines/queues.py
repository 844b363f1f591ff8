"""Queues and the agents that serve them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from components.options import nearest
from components.run.api import call

LIVE_SECONDS = 120
"""An agent that reported within so many seconds is alive; it reports every 30 s or oftener."""


@dataclass(frozen=True)
class Queue:
    """A queue as it is now."""

    id: str
    name: str
    agents: tuple[str, ...]
    """Workers that are alive and serve it."""
    waiting: tuple[str, ...]
    """Ids of the tasks in it, the next first."""

    @property
    def advice(self) -> str:
        """What to do if no agent serves it."""
        return (
            f"no agent serves the queue '{self.name}'; start one with: "
            f"clearml-agent daemon --queue {self.name} (on the local stack: "
            f"sightline up --agents {self.name}=1)"
        )


def read_queues(last_seen: int = LIVE_SECONDS) -> dict[str, Queue]:
    """Read all queues of the server by name."""
    agents: dict[str, list[str]] = {}
    for worker in call("workers.get_all", last_seen=last_seen)["workers"]:
        for served in worker.get("queues") or []:
            agents.setdefault(served["id"], []).append(worker["id"])
    return {
        queue["name"]: Queue(
            queue["id"],
            queue["name"],
            tuple(agents.get(queue["id"], ())),
            tuple(entry["task"] for entry in queue.get("entries") or []),
        )
        for queue in call("queues.get_all", only_fields=["id", "name", "entries.task"])["queues"]
    }


def reported_tasks(last_seen: int = LIVE_SECONDS) -> set[str]:
    """List the tasks that live agents say they run."""
    workers = call("workers.get_all", last_seen=last_seen)["workers"]
    return {worker["task"]["id"] for worker in workers if worker.get("task")}


def missing(wanted: Mapping[str, Iterable[str]], queues: Mapping[str, Queue]) -> list[str]:
    """Say for each queue that doesn't exist what to do about it.

    Args:
        wanted: what would go there, by queue.
        queues: the queues there are.
    """
    problems = []
    for name, users in wanted.items():
        if name not in queues:
            near = nearest(name, list(queues))
            hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(sorted(queues))}"
            problems.append(f"no queue '{name}' (for {', '.join(users)}); {hint}")
    return problems


def unserved(wanted: Mapping[str, Iterable[str]], queues: Mapping[str, Queue]) -> list[str]:
    """Say for each queue without an agent who will wait there."""
    return [
        f"{', '.join(users)} will wait: {queues[name].advice}"
        for name, users in wanted.items()
        if name in queues and not queues[name].agents
    ]


def too_few(wanted: Mapping[str, tuple[str, int]], queues: Mapping[str, Queue]) -> list[str]:
    """Say which stages need more agents at once than serve their queue.

    Args:
        wanted: by stage its queue, and how many agents it needs at once.
        queues: the queues there are.
    """
    return [
        f"{stage} needs {count} agents of the queue '{name}' at once, and "
        f"{len(queues[name].agents)} serve(s) it: it will wait for more"
        for stage, (name, count) in wanted.items()
        if name in queues and 0 < len(queues[name].agents) < count
    ]
