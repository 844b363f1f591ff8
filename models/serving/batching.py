"""Puts the pictures of all clients together and runs the network in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.runtimes.engines import Engine, Outputs
from models.serving.refusal import Refusal

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Waiting:
    inputs: NDArray[np.uint8]
    future: asyncio.Future[Outputs]
    loop: asyncio.AbstractEventLoop


class Ticket:
    """One request on its way to the network."""

    def __init__(self) -> None:
        self.expected = True
        """Whether it is still to bring its pictures."""
        self.pictures = 0
        """Pictures for which it holds room in the queue, without those that wait already."""


class Batcher:
    """The queue before the network.

    A batch is what waits when the network gets free, up to `batch` pictures. An incomplete one
    waits at most `max_wait` for requests that are known to be on their way, so a client alone
    never waits.
    """

    def __init__(
        self,
        engine: Engine,
        batch: int,
        max_wait: float,
        capacity: int,
        observe: Callable[[int, float], None] = lambda pictures, seconds: None,
    ) -> None:
        """Start the thread.

        Args:
            engine: used by that thread alone.
            batch: most pictures of a batch.
            max_wait: seconds.
            capacity: most pictures that are decoded or wait.
            observe: told pictures and seconds of each batch.
        """
        self.batch, self.capacity = batch, capacity
        self._engine, self._max_wait, self._observe = engine, max_wait, observe
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._pictures = 0  # waiting ones
        self._reserved = 0  # those still decoded
        self._expected = 0  # requests that are to bring pictures
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    @property
    def length(self) -> int:
        """Pictures that are decoded or wait."""
        return self._pictures + self._reserved

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """Announce a request; what it holds is given back at the end."""
        ticket = Ticket()
        with self._changed:
            self._expected += 1
        try:
            yield ticket
        finally:
            self._arrived(ticket)
            with self._changed:
                self._reserved -= ticket.pictures
                ticket.pictures = 0

    def reserve(self, ticket: Ticket, pictures: int) -> None:
        """Hold room in the queue for the pictures of a request.

        Raises:
            Refusal: 503, the queue is full; 400, it will never hold so many.
        """
        if pictures > self.capacity:
            raise Refusal(
                400, f"{pictures} pictures in one request; this service takes {self.capacity}"
            )
        with self._changed:
            if self._closed:
                raise Refusal(503, "the service is shutting down")
            if self.length + pictures > self.capacity:
                raise Refusal(503, f"overloaded: {self.length} pictures wait already; try again")
            self._reserved += pictures
            ticket.pictures += pictures

    async def run(self, ticket: Ticket, inputs: NDArray[np.uint8]) -> Outputs:
        """Run reserved pictures through the network, together with those of others.

        Args:
            ticket: with room for them.
            inputs: uint8 (pictures, height, width, 3).

        Returns:
            The output tensors in the order of `model.json`.

        Raises:
            Refusal: 500, the network failed.
        """
        loop = asyncio.get_running_loop()
        parts = [
            _Waiting(inputs[start : start + self.batch], loop.create_future(), loop)
            for start in range(0, len(inputs), self.batch)
        ]
        with self._changed:
            self._waiting += parts
            self._pictures += len(inputs)
            self._reserved -= len(inputs)
            ticket.pictures -= len(inputs)
            self._changed.notify()
        self._arrived(ticket)
        try:
            done = await asyncio.gather(*(part.future for part in parts))
        except BaseException:  # the client has gone, or the time is up
            self._forget(parts)
            raise
        if len(done) == 1:
            return done[0]
        return tuple(np.concatenate(tensors) for tensors in zip(*done, strict=True))

    def close(self, seconds: float | None = None) -> bool:
        """Run what waits, then end the thread.

        Args:
            seconds: how long to wait for that; None waits to the end.

        Returns:
            Whether it has ended; if not, the network hangs and still uses its engine.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _arrived(self, ticket: Ticket) -> None:
        if ticket.expected:
            ticket.expected = False
            with self._changed:
                self._expected -= 1
                if not self._expected:
                    self._changed.notify()

    def _forget(self, parts: Sequence[_Waiting]) -> None:
        with self._changed:
            for part in parts:
                part.future.cancel()
                if part in self._waiting:
                    self._waiting.remove(part)
                    self._pictures -= len(part.inputs)

    def _work(self) -> None:
        while batch := self._next():
            start = time.perf_counter()
            inputs = [part.inputs for part in batch]
            results: Outputs | Refusal
            try:
                # Even one is copied: what came over the wire is memory that can't be written to,
                # and not all runtimes take that.
                results = self._engine(np.concatenate(inputs))
            except Exception as error:  # one broken batch must not end the service
                _log.exception("the network failed")
                reason = str(error).strip().splitlines() or [type(error).__name__]
                results = Refusal(500, f"the network failed: {reason[0][:300]}")
            self._observe(sum(map(len, inputs)), time.perf_counter() - start)
            _deliver(batch, results)

    def _next(self) -> list[_Waiting]:
        """Wait for a batch; empty at the end."""
        with self._changed:
            while True:
                while not self._waiting:
                    if self._closed:
                        return []
                    self._changed.wait()
                self._wait_for_more()
                # All may have been forgotten in the meantime.
                if taken := self._take():
                    return taken

    def _wait_for_more(self) -> None:
        limit = time.monotonic() + self._max_wait
        while self._pictures < self.batch and self._expected and not self._closed:
            left = limit - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                return

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        room = self.batch
        while self._waiting and len(self._waiting[0].inputs) <= room:
            part = self._waiting.popleft()
            room -= len(part.inputs)
            taken.append(part)
        self._pictures -= self.batch - room
        return taken


def _deliver(batch: Sequence[_Waiting], results: Outputs | Refusal) -> None:
    """Hand results to the clients' event loop, all in one turn of it."""
    parts: list[tuple[asyncio.Future[Outputs], Outputs | Refusal]] = []
    start = 0
    for part in batch:
        end = start + len(part.inputs)
        if isinstance(results, Refusal):
            parts.append((part.future, results))
        else:
            parts.append((part.future, tuple(tensor[start:end] for tensor in results)))
        start = end

    def set_all() -> None:
        for future, result in parts:
            if future.done():
                continue
            if isinstance(result, Refusal):
                future.set_exception(Refusal(result.status, str(result)))
            else:
                future.set_result(result)

    # The loop is closed when the service was ended without waiting for its requests.
    with suppress(RuntimeError):
        batch[0].loop.call_soon_threadsafe(set_all)
