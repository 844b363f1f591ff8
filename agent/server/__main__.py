"""The command line of the server: `python -m agent.server --state DIR`."""

from __future__ import annotations

import argparse
import fcntl
import importlib
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO, TypeVar

import uvicorn

from . import services
from .app import build
from .credentials import write_private
from .guardian import Guardian, guarded
from .origins import is_loopback
from .protocol import Protocol
from .settings import Settings

T = TypeVar("T")

_DYING_SECONDS = 5.0
"""How long a server that takes another's place waits for that one's lock and port."""

_TURN_SECONDS = 0.0005
"""How long one thread may keep the others waiting. A read gives way at each step of its query, and
with Python's 5 ms would wait as long each time while another thread takes in a large batch."""


def main(arguments: Sequence[str] | None = None, *, succeeds: bool = False) -> int:
    """Serve until a signal ends the process; returns the exit code.

    Args:
        arguments: The command line; the process's own if None.
        succeeds: Another server has just died on the same state.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = _settings(arguments)
    os.umask(0o077)  # what people upload and the tokens' key are the owner's alone
    load()
    guardian = None
    if settings.restart:
        guardian = guarded()
        succeeds = succeeds or guardian.succeeds
        port = settings.port if guardian.port is None else guardian.port
        settings = replace(settings, port=port, started=time.time())
    # A server that has just died may hold its lock and its port for another moment.
    patience = _DYING_SECONDS if succeeds else 0.0
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _serve(settings, guardian, words, patience)
    finally:
        if guardian is not None:
            guardian.end()


def load() -> None:
    """Import what the server needs only while it starts: the guardian has it ready, too."""
    services.load()
    for name in ("uvloop", "uvicorn.loops.uvloop", "uvicorn.lifespan.on", "asyncio", "ctypes"):
        importlib.import_module(name)


def _serve(
    settings: Settings, guardian: Guardian | None, arguments: Sequence[str], patience: float
) -> int:
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
        lock = _patiently(patience, lambda: _lock(settings.state))
        state_id(settings.state)
        listener = _patiently(patience, lambda: _listen(settings.host, settings.port))
        app = build(settings)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"agent.server: {error}\n")
        return 1
    sys.setswitchinterval(_TURN_SECONDS)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        # Clients pause for half a minute between pings; a connection closed under them is a retry.
        timeout_keep_alive=600,
        timeout_graceful_shutdown=3,
    )
    if guardian is not None:
        guardian.watch(arguments, listener.getsockname()[1])
    with lock, listener:
        _Server(config, settings, guardian).run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """Says when it is ready, on one line of standard output."""

    def __init__(
        self, config: uvicorn.Config, settings: Settings, guardian: Guardian | None
    ) -> None:
        super().__init__(config)
        self._settings = settings
        self._guardian = guardian

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order, which the guardian must hear before the signal ends the process."""
        if self._guardian is not None:
            self._guardian.end()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            sys.stdout.write(f"serving http://{host}:{port} from {self._settings.state}\n")
            sys.stdout.flush()


def state_id(state: Path) -> str:
    """The state folder's own id, made at the first start; `debug.ping` tells it."""
    path = state / "id"
    if not path.exists():
        write_private(path, uuid.uuid4().hex)
    return path.read_text().strip()


def _settings(arguments: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(
        prog="python -m agent.server",
        description="The embedded ClearML-compatible server: API and file server in one process.",
    )
    parser.add_argument("--state", type=Path, required=True, help="folder for all that is kept")
    parser.add_argument(
        "--credentials", type=Path, help="JSON file with access_key, secret_key and user"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8008, help="port to listen on, 0 for a free one (%(default)s)"
    )
    parser.add_argument(
        "--non-responsive-after",
        type=float,
        default=7200.0,
        metavar="SECONDS",
        help="stop running tasks that have been silent for so long (%(default)s)",
    )
    parser.add_argument(
        "--power-safe",
        action="store_true",
        help="wait for the disk at each write, so that a power cut loses nothing either",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which clients reach a server that listens on loopback",
    )
    parser.add_argument(
        "--webapp",
        type=Path,
        metavar="FOLDER",
        help="serve ClearML's web application, built, from this folder, and not the light page",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="start again by itself after a death that nobody asked for",
    )
    found = parser.parse_args(arguments)
    if found.non_responsive_after <= 0:
        parser.error("--non-responsive-after must be more than 0 seconds")
    state = found.state.absolute()
    return Settings(
        state=state,
        credentials=found.credentials or state / "credentials.json",
        host=found.host,
        port=found.port,
        non_responsive_after=found.non_responsive_after,
        power_safe=found.power_safe,
        names=tuple(found.allow_host),
        restart=found.restart,
        webapp=found.webapp.absolute() if found.webapp else None,
    )


def _patiently(seconds: float, work: Callable[[], T]) -> T:
    """Do something that may have to wait for another process's end."""
    end = time.monotonic() + seconds
    while True:
        try:
            return work()
        except ValueError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)


def _lock(state: Path) -> TextIO:
    """Hold the state folder: two servers on one database would each lose the other's writes."""
    held = (state / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise ValueError(f"another server is already using {state}") from error
    return held


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ValueError(
            f"can't listen on {host}:{port} ({error.strerror}): another server may be using the "
            "port; choose one with --port"
        ) from error
    if not is_loopback(host):
        logging.getLogger(__name__).warning(
            "listening on %s: anyone on the network can reach this server, without encryption", host
        )
    return listener


if __name__ == "__main__":
    sys.exit(main())
