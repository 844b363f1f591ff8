"""Runs the service until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.package.libraries import library_versions
from models.runtimes import Predictor
from models.serving.app import build_app
from models.serving.options import ServeOptions
from models.serving.service import Service

_IDLE = 60
"""Seconds after which a silent connection is closed."""
_SWITCH = 0.0005
"""Seconds after which a thread gives way; with Python's own 5 ms the network's thread waits long
for the event loop when a batch is done."""


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which otherwise waits for a connection's first request for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._first = self.loop.call_later(_IDLE, self._silent)

    def connection_lost(self, error: Exception | None) -> None:
        self._first.cancel()
        super().connection_lost(error)

    def _silent(self) -> None:
        if self.cycle is None:
            self.transport.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


def serve(
    predictor: Predictor,
    options: ServeOptions,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Serve a model until SIGTERM or Ctrl-C; requests taken in by then are answered.

    Args:
        predictor: closed at the end.
        options: of the service.
        host: address to listen on.
        port: 0 takes a free one.
        ready: told the service's address once it answers.

    Raises:
        ValueError: the address is taken or isn't this machine's.
    """
    import cv2

    cv2.setNumThreads(1)  # pictures are decoded side by side as it is
    sys.setswitchinterval(_SWITCH)
    _allow_many_connections()
    with listen(host, port) as listener:
        server = build_server(Service(predictor, options), ready)
        # uvicorn raises the signal again after its own end; that end was the answer to it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])


def build_server(service: Service, ready: Callable[[str], None]) -> uvicorn.Server:
    """Make what `run(sockets=...)` serves a service with, until its `should_exit` is set.

    Args:
        service: closed at the end.
        ready: told the address once it answers.
    """
    config = uvicorn.Config(
        build_app(service, library_versions().get("sightline", "0")),
        http=_Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=int(service.options.timeout) + 5,
    )
    return _Server(config, ready)


def _allow_many_connections() -> None:
    """Each is an open file, and systems allow a process few unless it asks."""
    if sys.platform != "win32":
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """Take an address, so that clients can already connect; they wait until the service runs.

    Raises:
        ValueError: it is taken or isn't this machine's.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ValueError(f"--host {host}: {error.strerror}") from None
    listener = socket.socket(address[0], socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address[4])
    except OSError as error:
        listener.close()
        raise ValueError(
            f"can't listen on {host}:{port} ({error.strerror}): another server may be using the "
            f"port; choose one with --port"
        ) from None
    return listener
