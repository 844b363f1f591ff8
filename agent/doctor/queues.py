"""Queues, and the agents that serve them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from agent.doctor.findings import Finding, error, ok, warning
from agent.doctor.settings import Settings
from agent.doctor.wire import Wire, WireError

LIVE_S = 120.0
"""An agent that reported within so many seconds is alive; it reports every 30 s or oftener."""
_VERSION = re.compile(r"clearml_agent v(\d[\w.]*)")
_AGENT = "clearml-agent"


@dataclass(frozen=True)
class Agent:
    """An agent as the server knows it.

    Attributes:
        id: Its worker id.
        queues: Ids of the queues that it serves.
        silent_s: Seconds since its last report; None if the server doesn't say.
        task: Id of the task that it runs; empty for none.
    """

    id: str
    queues: tuple[str, ...]
    silent_s: float | None
    task: str

    @property
    def alive(self) -> bool:
        """Whether it has reported lately."""
        return self.silent_s is None or self.silent_s <= LIVE_S


def check_queues(wire: Wire, settings: Settings, wanted: Sequence[str]) -> list[Finding]:
    """Look at the wanted queues, at all others where tasks wait in vain, and at all agents."""
    try:
        queues = wire.call("queues.get_all").get("queues") or []
        # Also those that have gone silent: the server forgets them only after some minutes.
        agents = [_agent(one) for one in wire.call("workers.get_all", last_seen=0)["workers"]]
    except (WireError, KeyError) as problem:
        return [error("queues", f"they can't be read: {problem}", "see the server's log")]
    found = list(_queues(queues, agents, settings, wanted))
    if not agents:
        advice = "sightline up" if settings.is_stack else "sightline agents make --help"
        return [*found, error("agents", "there are none", f"start some: {advice}")]
    return [*found, *(_looked_at(agent, wire) for agent in agents)]


def _queues(
    queues: Sequence[Mapping[str, Any]],
    agents: Sequence[Agent],
    settings: Settings,
    wanted: Sequence[str],
) -> Iterator[Finding]:
    by_name = {str(queue.get("name") or queue["id"]): queue for queue in queues}
    for name in wanted:
        if name not in by_name:
            near = difflib.get_close_matches(name, list(by_name), 1)
            start = (
                "sightline up"
                if settings.is_stack
                else f"{_AGENT} daemon --create-queue --queue {name}"
            )
            advice = f"make it with an agent: {start}; or name another, as in queue.{name}=OTHER"
            if near:
                advice += f" (there is '{near[0]}')"
            yield error(f"queue {name}", "it doesn't exist", advice)
    for name, queue in by_name.items():
        waiting = len(queue.get("entries") or [])
        serving = [agent for agent in agents if agent.alive and queue["id"] in agent.queues]
        said = f"{len(serving)} agent(s) listen, {waiting} task(s) wait"
        if serving:
            yield ok(f"queue {name}", said)
        elif name in wanted or waiting:
            start = f"{_AGENT} daemon --queue {name}"
            start = f"sightline up --agents {name}=1" if settings.is_stack else start
            make = error if waiting else warning
            yield make(f"queue {name}", said, f"start an agent for it: {start}")


def _looked_at(agent: Agent, wire: Wire) -> Finding:
    check = f"agent {agent.id}"
    if not agent.alive:
        lost = f", with task {agent.task}" if agent.task else ""
        return warning(
            check,
            f"it last reported {agent.silent_s or 0:.0f} s ago{lost}",
            "see whether its machine still runs; a pipeline puts a lost stage back by itself",
        )
    runs = f"runs task {agent.task}" if agent.task else "waits for a task"
    seen = "" if agent.silent_s is None else f", reported {agent.silent_s:.0f} s ago"
    version = _version(agent, wire)
    said = f"{runs}{seen}" + (f", version {version}" if version else "")
    ours = _installed()
    if version and ours and version.split(".")[:2] != ours.split(".")[:2]:
        return warning(check, said, f"this machine has {ours}: install one version everywhere")
    return ok(check, said)


def _version(agent: Agent, wire: Wire) -> str:
    """The agent's version, from the log of its last task; empty if it has run none.

    The API doesn't tell it; an agent writes it at the start of each log.
    """
    worker = re.escape(agent.id)
    try:
        tasks = wire.call(
            "tasks.get_all",
            _any_={"fields": ["last_worker"], "pattern": f"^{worker}$"},
            order_by=["-last_update"],
            only_fields=["id"],
            search_hidden=True,
            page=0,
            page_size=1,
        )["tasks"]
        if not tasks:
            return ""
        log = wire.call(
            "events.get_task_log", task=tasks[0]["id"], navigate_earlier=False, batch_size=50
        )
    except (WireError, KeyError):
        return ""
    for event in log.get("events") or []:
        if match := _VERSION.search(str(event.get("msg"))):
            return match[1]
    return ""


def _installed() -> str:
    try:
        return metadata.version(_AGENT)
    except metadata.PackageNotFoundError:
        return ""


def _agent(worker: Mapping[str, Any]) -> Agent:
    seen = worker.get("last_report_time") or worker.get("last_activity_time")
    return Agent(
        id=str(worker["id"]),
        queues=tuple(str(queue.get("id")) for queue in worker.get("queues") or []),
        silent_s=_age(seen),
        task=str((worker.get("task") or {}).get("id") or ""),
    )


def _age(moment: str | None) -> float | None:
    """Age of a time of the server, which is UTC."""
    try:
        then = datetime.fromisoformat(moment or "")
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - then).total_seconds())
