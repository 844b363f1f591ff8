"""`status`: what is up, what runs, what waits and why."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.stack import processes
from agent.stack.api import Api, answers
from agent.stack.credentials import load_credentials
from agent.stack.errors import StackError
from agent.stack.home import find_home
from agent.stack.server_process import server_process
from agent.stack.state import AgentRecord, StackState, load_state


@dataclass(frozen=True)
class TaskLine:
    """A task that runs or waits.

    Attributes:
        id: Its id.
        name: Its name.
        seconds: For how long it has run, or waited; None if the server doesn't say.
        worker: Who runs it; empty if it waits.
    """

    id: str
    name: str
    seconds: float | None = None
    worker: str = ""


@dataclass(frozen=True)
class ServerStatus:
    """The embedded server.

    Attributes:
        url: Its base URL; empty before the first start.
        pid: Its process; None if it has none.
        uptime_s: Seconds since its process started.
        reachable: Whether it answers.
    """

    url: str
    pid: int | None
    uptime_s: float | None
    reachable: bool


@dataclass(frozen=True)
class AgentStatus:
    """An agent of this stack.

    Attributes:
        name: Its name in the stack.
        queue: The queue that it serves.
        worker: Its worker id.
        pid: Its process; None if it has none.
        registered: Whether the server knows it.
        last_report_s: Seconds since it last reported; None if it never did.
        task: What it runs.
    """

    name: str
    queue: str
    worker: str
    pid: int | None
    registered: bool
    last_report_s: float | None
    task: TaskLine | None


@dataclass(frozen=True)
class QueueStatus:
    """A queue.

    Attributes:
        name: Its name.
        workers: Ids of the agents that serve it, those of other machines included.
        waiting: Its tasks, the next first.
        reason: Why they wait, where no agent will ever take them; else empty.
    """

    name: str
    workers: tuple[str, ...]
    waiting: tuple[TaskLine, ...]
    reason: str


@dataclass(frozen=True)
class StackStatus:
    """All of it.

    Attributes:
        home: The state folder.
        server: The server.
        agents: The agents of this stack.
        queues: All queues of the server.
        running: All running tasks of the server.
        problems: What is wrong, one line each, with what to do; empty if all is well.
    """

    home: Path
    server: ServerStatus
    agents: tuple[AgentStatus, ...] = ()
    queues: tuple[QueueStatus, ...] = ()
    running: tuple[TaskLine, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def is_up(self) -> bool:
        """Whether the server answers."""
        return self.server.reachable


def status(*, home: Path | str | None = None) -> StackStatus:
    """Look at the stack; changes nothing.

    Args:
        home: The state folder; see `find_home`.

    Raises:
        StackError: The state folder's record is damaged.
    """
    place = find_home(home)
    state = load_state(place)
    if state is None or state.port is None:
        server = ServerStatus("", None, None, reachable=False)
        return StackStatus(place.root, server, problems=("no stack here; run: sightline up",))
    process = server_process(state)
    server = ServerStatus(
        url=state.url,
        pid=process.pid if process else None,
        uptime_s=time.time() - process.create_time() if process else None,
        reachable=answers(state.url),
    )
    problems = list(_server_problems(state, server))
    view = _Remote()
    if server.reachable:
        try:
            with Api(state.url, load_credentials(place)) as api:
                view = _ask(api)
        except StackError as error:
            problems.append(str(error))
    agents = tuple(_agent(record, view) for record in state.agents.values())
    for agent in agents:
        problems.extend(_agent_problems(state, agent, server))
    queues = tuple(_queue(queue, view, agents) for queue in view.queues)
    problems.extend(queue.reason for queue in queues if queue.reason)
    return StackStatus(place.root, server, agents, queues, tuple(view.running), tuple(problems))


@dataclass
class _Remote:
    """What the server said."""

    workers: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    queues: Sequence[dict[str, Any]] = ()
    running: Sequence[TaskLine] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def _ask(api: Api) -> _Remote:
    workers = api.call("workers.get_all", last_seen=0).get("workers", [])
    queues = api.call("queues.get_all").get("queues", [])
    running = api.call(
        "tasks.get_all",
        status=["in_progress"],
        only_fields=["id", "name", "started", "last_worker"],
        search_hidden=True,
        order_by=["started"],
        page=0,
        page_size=100,
    ).get("tasks", [])
    waiting = [entry["task"] for queue in queues for entry in queue.get("entries") or []][:200]
    names = (
        api.call("tasks.get_all", id=waiting, only_fields=["id", "name"], search_hidden=True)
        if waiting
        else {}
    )
    lines = [
        TaskLine(
            task["id"],
            task.get("name") or "",
            _seconds_since(task.get("started")),
            task.get("last_worker") or "",
        )
        for task in running
    ]
    return _Remote(
        workers={worker["id"]: worker for worker in workers},
        queues=queues,
        running=lines,
        names={task["id"]: task.get("name") or "" for task in names.get("tasks", [])},
    )


def _agent(record: AgentRecord, view: _Remote) -> AgentStatus:
    process = processes.find(record.process)
    worker = view.workers.get(record.worker)
    seen = (worker or {}).get("last_report_time") or (worker or {}).get("last_activity_time")
    own = [
        task
        for task in view.running
        if task.worker == record.worker or task.worker.startswith(f"{record.worker}:service:")
    ]
    return AgentStatus(
        name=record.name,
        queue=record.queue,
        worker=record.worker,
        pid=process.pid if process else None,
        registered=worker is not None,
        last_report_s=_seconds_since(seen),
        task=own[0] if own else None,
    )


def _queue(queue: dict[str, Any], view: _Remote, agents: Sequence[AgentStatus]) -> QueueStatus:
    name = str(queue.get("name") or queue["id"])
    dead = {agent.worker for agent in agents if agent.pid is None}
    workers = tuple(
        worker_id
        for worker_id, worker in view.workers.items()
        if worker_id not in dead
        and any(queue["id"] == served.get("id") for served in worker.get("queues") or [])
    )
    waiting = tuple(
        TaskLine(
            entry["task"], view.names.get(entry["task"], ""), _seconds_since(entry.get("added"))
        )
        for entry in queue.get("entries") or []
    )
    reason = ""
    if waiting and not workers:
        reason = (
            f"queue {name}: {len(waiting)} task(s) wait and no agent serves it; "
            f"start one with: sightline up --agents {name}=1"
        )
    return QueueStatus(name, workers, waiting, reason)


def _server_problems(state: StackState, server: ServerStatus) -> list[str]:
    if server.pid is None and server.reachable:
        return [f"another program answers at {server.url}; end it, and run: sightline up"]
    if server.pid is None and state.server:
        fate = processes.whereabouts(state.server)
        return [f"the server has died ({fate}); start it again with: sightline up"]
    if server.pid is None:
        return ["the stack is down; run: sightline up"]
    if not server.reachable:
        return [f"the server (pid {server.pid}) doesn't answer; mend it with: sightline up"]
    return []


def _agent_problems(state: StackState, agent: AgentStatus, server: ServerStatus) -> list[str]:
    record = state.agents[agent.name].process
    if agent.pid is None:
        if record is None:
            return [] if server.pid is None else [f"agent {agent.name} isn't up; run: sightline up"]
        fate = processes.whereabouts(record)
        return [f"agent {agent.name} has died ({fate}); start it again with: sightline up"]
    if server.reachable and not agent.registered:
        return [f"the server doesn't know agent {agent.name} (pid {agent.pid}) yet"]
    return []


def _seconds_since(moment: str | None) -> float | None:
    """Age of an ISO time of the server, which is UTC."""
    if not moment:
        return None
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - then).total_seconds())
