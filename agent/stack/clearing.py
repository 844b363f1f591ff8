"""End agents, what they started, and what the server still thinks that they do."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import psutil

from agent.stack import processes
from agent.stack.agents import SERVICES_QUEUE
from agent.stack.api import Api
from agent.stack.errors import StackError
from agent.stack.state import AgentRecord, StackState

_AGENT_GRACE_S = 15.0
_TASK_GRACE_S = 3.0
_SERVICE_FLAG = "--full-monitoring"


@dataclass(frozen=True)
class Ended:
    """What `end_agents` did.

    Attributes:
        processes: How many processes were ended.
        killed: How many of them didn't end when asked.
    """

    processes: int = 0
    killed: int = 0

    def __add__(self, other: Ended) -> Ended:
        """Both counts added."""
        return Ended(self.processes + other.processes, self.killed + other.killed)


def orphans(state: StackState, record: AgentRecord) -> list[psutil.Process]:
    """Processes that a dead agent left behind, all that they started included.

    A service (a pipeline's controller) has a monitor of its own that sees it through and
    reports its end, so it lives on without the agent, and isn't one.
    """
    left = processes.marked(state.id, record.name)
    pids = {process.pid for process in left}
    roots = []
    for process in left:
        try:
            if process.ppid() not in pids and _SERVICE_FLAG not in process.cmdline():
                roots.append(process)
        except psutil.Error:
            continue
    return processes.with_descendants(roots)


def end_agents(state: StackState, records: Iterable[AgentRecord], *, server_up: bool) -> Ended:
    """End agents and everything under them.

    An agent that is asked to end marks its task as stopped and leaves the server's list of
    workers; that takes a server. Where services run, their agents go first: a pipeline's
    controller that still ran would put a stopped step back on its queue.

    Args:
        state: The stack.
        records: The agents.
        server_up: Whether the server answers; without one there is nothing to wait for.
    """
    records = list(records)
    first = [record for record in records if record.queue == SERVICES_QUEUE]
    waves = [first, [record for record in records if record not in first]]
    if not _served_tasks(state):
        waves = [records]
    total = Ended()
    for group in waves:
        daemons = [process for record in group if (process := processes.find(record.process))]
        everything = {
            process.pid: process
            for process in processes.with_descendants(daemons + _marked(state, group))
        }
        if server_up:
            for daemon in daemons:
                try:
                    daemon.terminate()
                except psutil.Error:
                    continue
            processes.wait(daemons, _AGENT_GRACE_S)
        # What is left: a daemon that hangs, tasks of a daemon that was killed before.
        left = {pid: process for pid, process in everything.items() if process.is_running()}
        left |= {process.pid: process for process in _marked(state, group)}
        killed = processes.end(list(left.values()), _TASK_GRACE_S)
        total += Ended(len(everything.keys() | left.keys()), killed)
    return total


def _marked(state: StackState, records: Iterable[AgentRecord]) -> list[psutil.Process]:
    return [process for record in records for process in processes.marked(state.id, record.name)]


def release(
    api: Api, state: StackState, records: Collection[AgentRecord], *, reason: str, message: str
) -> list[str]:
    """Have the server forget agents that have ended: their registration and their tasks.

    A task that the server believes to run, though its process is gone, is stopped. A service
    that outlived its agent keeps its task and its registration.

    Args:
        api: The server.
        state: The stack.
        records: The agents.
        reason: Why, for the task's `status_reason`.
        message: More of it, for `status_message`.

    Returns:
        Ids of the tasks that were stopped.
    """
    alive = _served_tasks(state)
    own = tuple(record.worker for record in records)

    def is_own(worker: str) -> bool:
        """Whether it is one of the agents, or a service of one that has ended too."""
        base, _, task = worker.partition(":service:")
        return base in own and task not in alive

    for worker in api.call("workers.get_all", last_seen=0).get("workers", []):
        if is_own(worker["id"]):
            api.call("workers.unregister", worker=worker["id"])
    running = api.call(
        "tasks.get_all",
        status=["in_progress"],
        only_fields=["id", "last_worker"],
        search_hidden=True,
    )
    stopped = []
    for task in running.get("tasks", []):
        if task["id"] in alive or not is_own(task.get("last_worker") or ""):
            continue
        try:
            api.call(
                "tasks.stopped",
                task=task["id"],
                status_reason=reason,
                status_message=message,
                force=True,
            )
        except StackError:
            continue  # it has ended meanwhile
        stopped.append(str(task["id"]))
    return stopped


def _served_tasks(state: StackState) -> set[str]:
    """Ids of the tasks that a service's own monitor looks after."""
    tasks = set()
    for process in processes.marked(state.id):
        try:
            arguments = process.cmdline()
        except psutil.Error:
            continue
        if _SERVICE_FLAG in arguments and "--id" in arguments[:-1]:
            tasks.add(arguments[arguments.index("--id") + 1])
    return tasks
