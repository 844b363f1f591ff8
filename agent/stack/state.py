"""What a stack has started: the record in `stack.json`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from agent.stack.errors import StackError
from agent.stack.home import StackHome, disk_errors, write_private


@dataclass(frozen=True)
class ProcessRecord:
    """A process that was started.

    Attributes:
        pid: Process id.
        started: When it was started, seconds since the boot: tells a reused pid apart.
    """

    pid: int
    started: float


@dataclass(frozen=True)
class AgentRecord:
    """An agent of the stack.

    Attributes:
        name: Its name in the stack: `cpu`, `gpu`, `gpu-2`.
        queue: The queue that it serves.
        worker: Its worker id on the server.
        gpus: The NVIDIA GPUs that it was given.
        process: The daemon, if it was started.
    """

    name: str
    queue: str
    worker: str
    gpus: tuple[str, ...] = ()
    process: ProcessRecord | None = None


@dataclass(frozen=True)
class StackState:
    """All that a stack remembers.

    Attributes:
        id: Marks the environment of every process that the stack starts.
        host: The address that the server listens on.
        port: Its port, kept over restarts, because stored URLs contain it; None before the first.
        server: The server's process.
        agents: By name.
        counts: Agents wanted by queue, where the user said so.
        webapp: Folder of the web application that the server shows; empty for its own page.
        names: Further names by which clients reach the server, behind a proxy for example.
    """

    id: str
    host: str = "127.0.0.1"
    port: int | None = None
    server: ProcessRecord | None = None
    agents: Mapping[str, AgentRecord] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    webapp: str = ""
    names: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Base URL of the API; files lie under `/files`."""
        if self.port is None:
            raise StackError("this stack was never started; run: sightline up")
        return f"http://{advertised(self.host)}:{self.port}"

    def with_agent(self, agent: AgentRecord) -> StackState:
        """The state with this agent in it."""
        return replace(self, agents={**self.agents, agent.name: agent})


def advertised(host: str) -> str:
    """The name under which clients reach a server that listens on `host`."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - recognised here, not bound
        import socket

        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def new_state() -> StackState:
    """A stack that was never started."""
    return StackState(id=secrets.token_hex(8))


def load_state(home: StackHome) -> StackState | None:
    """Read `stack.json`; None if there is none.

    Raises:
        StackError: The file is there and isn't one of ours.
    """
    try:
        with disk_errors(home.root):
            text = home.state.read_text()
    except StackError:
        if not home.state.exists():
            return None
        raise
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StackError(
            f"{home.state} is damaged ({error}); end what still runs, delete the file, "
            f"and run: sightline up"
        ) from error


def save_state(home: StackHome, state: StackState) -> None:
    """Write `stack.json` in one step."""
    write_private(home.state, json.dumps(asdict(state), indent=1) + "\n")


def _parse(data: dict[str, Any]) -> StackState:
    def process(entry: dict[str, Any] | None) -> ProcessRecord | None:
        return None if entry is None else ProcessRecord(int(entry["pid"]), float(entry["started"]))

    agents = {
        name: AgentRecord(
            name,
            entry["queue"],
            entry["worker"],
            tuple(entry["gpus"]),
            process(entry["process"]),
        )
        for name, entry in data["agents"].items()
    }
    port = data["port"]
    return StackState(
        id=str(data["id"]),
        host=str(data["host"]),
        port=None if port is None else int(port),
        server=process(data["server"]),
        agents=agents,
        counts={queue: int(count) for queue, count in data["counts"].items()},
        webapp=str(data.get("webapp", "")),
        names=tuple(str(name) for name in data.get("names", ())),
    )
