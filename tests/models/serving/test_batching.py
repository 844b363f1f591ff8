"""The queue before the network."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import numpy as np
import pytest

from models.serving.batching import Batcher
from models.serving.refusal import Refusal


class Echo:
    """An engine that gives its input back."""

    artifact = device = "echo"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.batches: list[list[int]] = []

    def __call__(self, inputs: Any) -> Any:
        self.batches.append(inputs.ravel().tolist())
        assert self.open.wait(30)
        return (inputs.astype(np.float32),)

    def close(self) -> None: ...


def run(engine: Echo, scene: Any, batch: int = 4, wait: float = 0.0, capacity: int = 100) -> None:
    """Play a scene with a batcher, and see that it holds nothing afterwards."""
    batcher = Batcher(engine, batch, wait, capacity)

    async def play() -> None:
        await scene(batcher)

    asyncio.run(asyncio.wait_for(play(), 60))
    engine.open.set()
    batcher.close()
    assert batcher.length == 0
    assert batcher._expected == 0


async def ask(batcher: Batcher, *numbers: int) -> list[int]:
    with batcher.ticket() as ticket:
        batcher.reserve(ticket, len(numbers))
        (found,) = await batcher.run(ticket, np.array(numbers, np.uint8).reshape(-1, 1, 1, 1))
        return [int(number) for number in found.ravel()]


async def started(engine: Echo, count: int) -> None:
    while len(engine.batches) < count:
        await asyncio.sleep(0.001)


def test_each_gets_its_own() -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        engine.open.clear()
        first = asyncio.ensure_future(ask(batcher, 9))
        await started(engine, 1)
        sizes = (1, 2, 1, 3, 9, 1)
        others = [asyncio.ensure_future(ask(batcher, *[i] * n)) for i, n in enumerate(sizes)]
        await asyncio.sleep(0)
        assert batcher.length == sum(sizes)
        engine.open.set()
        assert await first == [9]
        assert await asyncio.gather(*others) == [[i] * n for i, n in enumerate(sizes)]

    run(engine, scene)
    # In order, never more than four, and no piece of a request is torn further than it must be.
    assert engine.batches == [[9], [0, 1, 1, 2], [3, 3, 3], [4] * 4, [4] * 4, [4, 5]]


def test_it_waits_for_a_request_that_is_on_its_way() -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        with batcher.ticket() as late:
            batcher.reserve(late, 1)
            early = asyncio.ensure_future(ask(batcher, 1))
            await asyncio.sleep(0.05)
            assert engine.batches == []
            await batcher.run(late, np.full((1, 1, 1, 1), 2, np.uint8))
        assert await early == [1]

    run(engine, scene, wait=30.0)
    assert engine.batches == [[1, 2]]


@pytest.mark.parametrize("wait", [0.0, 0.02])
def test_but_no_longer_than_it_may(wait: float) -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        with batcher.ticket():
            assert await ask(batcher, 1) == [1]

    run(engine, scene, wait=wait)
    assert engine.batches == [[1]]


def test_nor_for_one_that_has_given_up() -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        with batcher.ticket():
            early = asyncio.ensure_future(ask(batcher, 1))
            await asyncio.sleep(0.01)
        assert await early == [1]

    run(engine, scene, wait=3000.0)


def test_what_is_cancelled_is_not_run_and_gives_its_room_back() -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        engine.open.clear()
        running = asyncio.ensure_future(ask(batcher, 1))
        await started(engine, 1)
        waiting = asyncio.ensure_future(ask(batcher, *[2] * 6))
        await asyncio.sleep(0.01)
        assert batcher.length == 6
        for task in (waiting, running):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert batcher.length == 0
        engine.open.set()
        assert await ask(batcher, 3) == [3]

    run(engine, scene, capacity=6)
    assert engine.batches == [[1], [3]]


def test_a_full_queue_refuses() -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        with batcher.ticket() as ticket, batcher.ticket() as other:
            batcher.reserve(ticket, 5)
            with pytest.raises(Refusal, match="5 pictures wait already") as caught:
                batcher.reserve(other, 2)
            assert caught.value.status == 503
            batcher.reserve(other, 1)
            with pytest.raises(Refusal, match="7 pictures in one request") as caught:
                batcher.reserve(ticket, 7)
            assert caught.value.status == 400
        assert batcher.length == 0

    run(engine, scene, capacity=6)


def test_closing_finishes_what_waits() -> None:
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        engine.open.clear()
        tasks = [asyncio.ensure_future(ask(batcher, i)) for i in range(3)]
        await started(engine, 1)
        closing = asyncio.ensure_future(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.02)
        with pytest.raises(Refusal, match="shutting down"):
            await ask(batcher, 9)
        engine.open.set()
        assert await asyncio.gather(*tasks) == [[0], [1], [2]]
        await closing

    run(engine, scene, batch=1)


def test_clients_that_come_and_go_do_not_end_it() -> None:
    """Each is gone again while the batch still waits for another, which gives up then."""
    engine = Echo()

    async def scene(batcher: Batcher) -> None:
        for _ in range(400):
            with batcher.ticket():
                task = asyncio.ensure_future(ask(batcher, 1))
                await asyncio.sleep(0.001)
                task.cancel()
                await asyncio.wait((task,))
            await asyncio.sleep(0.001)
        assert await asyncio.wait_for(ask(batcher, 2), 20) == [2]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)  # a wait that calls itself each time would meet it
    try:
        run(engine, scene, wait=30.0)
    finally:
        sys.setrecursionlimit(limit)
    assert engine.batches == [[2]]
