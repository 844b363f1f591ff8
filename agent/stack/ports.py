"""Which port the server gets, and who is in the way."""

from __future__ import annotations

import socket

import psutil

from agent.stack.errors import StackError

DEFAULT_PORT = 8008
_TRIED = 100


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does it: connections that linger after a restart don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def next_free(host: str, start: int | None = None) -> int:
    """The first free port from `start` on, which is 8008 if None.

    Raises:
        StackError: None of the next hundred is free.
    """
    start = DEFAULT_PORT if start is None else start
    for port in range(start, min(start + _TRIED, 65536)):
        if is_free(host, port):
            return port
    raise StackError(
        f"no free port from {start} to {start + _TRIED - 1}; name one with: sightline up --port N"
    )


def holder(port: int) -> str:
    """Who listens on the port, in words: `nginx (pid 12)`, or `another program`."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                if connection.pid is None:
                    break
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass  # needs more rights than we have on some systems
    return "another program"
