"""The HTTP protocol with head and body of an answer in one write.

uvicorn writes them apart, and so sends two packets. A client that acknowledges late then waits
for the second one; joining them also saves a system call for each answer.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoinedWrites:
    """A transport that keeps what is written until the event loop's next turn, then sends it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send soon, together with what else is written in this turn."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Send what is left, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._transport.is_closing():
            self._waiting.clear()
        if self._waiting:
            data = b"".join(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
            self._waiting.clear()
            self._transport.write(data)


HEAD_SECONDS = float(os.environ.get("SIGHTLINE_SERVER_HEAD_SECONDS", "20"))
"""Within so long the head of a request must be here. (Tests don't wait that long.)"""

STALLED_SECONDS = 120.0
"""After so long without a byte of a request's body, its sender is taken to be gone."""

HEAD_BYTES = 64 * 1024
"""The longest head of a request."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol over a transport that joins writes, with an end to clients that stall.

    A client that sends its request a byte at a time would hold its connection for ever.
    """

    _timer: asyncio.TimerHandle | None = None
    _head: int = 0
    """Bytes that came since the present head began; -1 while there is none under way."""
    _headers: int = 0
    """Bytes of the headers so far."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the new connection's transport."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the head that they belong to grows without end."""
        if self._head >= 0:
            self._head += len(data)
            if self._head > HEAD_BYTES + 1_000_000:  # a body may have come along in these bytes
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head = self._headers = 0
        self._expect(HEAD_SECONDS)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more header."""
        super().on_header(name, value)
        self._headers += len(name) + len(value)
        if self._headers > HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is here; the body follows."""
        self._head = -1
        self._expect(STALLED_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._expect(STALLED_SECONDS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here."""
        self._expect(None)
        super().on_message_complete()

    def _expect(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow is not None and self.flow.read_paused:  # it is we who are slow
            self._expect(STALLED_SECONDS)
        else:
            self.transport.close()
