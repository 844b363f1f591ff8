"""`down`: end exactly what was started; the state stays for the next `up`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.stack import processes
from agent.stack.agents import remove_link
from agent.stack.api import Api, answers
from agent.stack.clearing import end_agents, release
from agent.stack.credentials import load_credentials
from agent.stack.errors import StackError
from agent.stack.home import find_home
from agent.stack.lock import exclusive
from agent.stack.server_process import SERVER_ROLE, server_process
from agent.stack.state import load_state, save_state

_SERVER_GRACE_S = 10.0


@dataclass(frozen=True)
class DownReport:
    """What `down` ended.

    Attributes:
        home: The state folder, which stays.
        ended: `server` and names of agents that were running.
        lines: All that was told.
    """

    home: Path
    ended: tuple[str, ...]
    lines: tuple[str, ...]


def down(
    *, home: Path | str | None = None, tell: Callable[[str], None] | None = None
) -> DownReport:
    """End the server, the agents and all that they started, and nothing else.

    Args:
        home: The state folder; see `find_home`.
        tell: Gets each line as it comes.

    Raises:
        StackError: The state can't be read or written.
    """
    lines: list[str] = []
    ended: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if tell:
            tell(line)

    place = find_home(home)
    if load_state(place) is None:
        say(f"no stack in {place.root}: nothing to end")
        return DownReport(place.root, (), tuple(lines))
    with exclusive(place, say):
        state = load_state(place)
        if state is None:
            return DownReport(place.root, (), tuple(lines))
        server_up = state.port is not None and answers(state.url)
        records = list(state.agents.values())
        for record in records:
            if process := processes.find(record.process):
                ended.append(record.name)
                say(f"ending agent {record.name} (pid {process.pid})")
            elif record.process:
                say(f"agent {record.name} had died ({processes.whereabouts(record.process)})")
        total = end_agents(state, records, server_up=server_up)
        if total.killed:
            say(f"{total.killed} process(es) didn't end when asked and were killed")
        if server_up:
            try:
                with Api(state.url, load_credentials(place)) as api:
                    for task in release(
                        api,
                        state,
                        records,
                        reason="the local stack went down",
                        message="ended by sightline down",
                    ):
                        say(f"task {task} was running: now stopped")
            except StackError as error:
                say(f"the server's list of agents and tasks stays as it is: {error}")
        server = server_process(state)
        if server:
            ended.append(SERVER_ROLE)
            say(f"ending the server (pid {server.pid})")
            processes.end([server], _SERVER_GRACE_S)
        elif state.server:
            say(f"the server had died ({processes.whereabouts(state.server)})")
        processes.end(processes.marked(state.id), grace_s=3.0)
        remove_link(state)
        gone = {name: replace(record, process=None) for name, record in state.agents.items()}
        save_state(place, replace(state, server=None, agents=gone))
        say(f"down; what was recorded stays in {place.root}" if ended else "nothing was running")
    return DownReport(place.root, tuple(ended), tuple(lines))
