"""Reads requests' bodies within limits of size, memory and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from models.serving.refusal import Refusal

_TOGETHER = 16
"""All bodies in memory may be so many times as large as one."""


class Bodies:
    """Counts what the bodies of all requests hold."""

    def __init__(self, largest: int) -> None:
        """Hold nothing yet.

        Args:
            largest: bytes of one body.
        """
        self._largest = largest
        self._held = 0

    @asynccontextmanager
    async def read(
        self, request: Request, limit: float, check: Callable[[], None]
    ) -> AsyncIterator[bytes]:
        """Read a body, and count it until the caller is done with it.

        Args:
            request: not yet read.
            limit: when it must be there, in `time.monotonic`'s seconds.
            check: called before anything is read; may refuse.

        Raises:
            Refusal: 408, it didn't come in time; 411 or 413, it is too large; 415, it is
                compressed; 499, the client has gone; 503, too much is held for others.
        """
        _check_head(request, self._largest)
        check()
        chunks: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(max(0.0, limit - time.monotonic())):
                    await self._collect(request, chunks)
            except TimeoutError:
                raise Refusal(408, "the request's body did not come in time") from None
            except ClientDisconnect:
                raise Refusal(499, "the client has gone") from None
            body = b"".join(chunks)
            chunks[:] = [body]
            yield body
        finally:
            self._held -= sum(map(len, chunks))

    async def _collect(self, request: Request, chunks: list[bytes]) -> None:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            self._held += len(chunk)
            chunks.append(chunk)
            if size > self._largest:
                raise _too_large(self._largest)
            if self._held > self._largest * _TOGETHER:
                raise Refusal(503, "overloaded: too much is being received; try again")


def _check_head(request: Request, largest: int) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Refusal(415, f"Content-Encoding {encoding[:50]} isn't taken: send it uncompressed")
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:20]) > largest:
        raise _too_large(largest)


def _too_large(largest: int) -> Refusal:
    return Refusal(413, f"the request is larger than {largest / (1 << 20):g} MiB")
