"""Decoding, network and writing at the same time, in threads, in order, in bounded memory."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from models.data.pictures import PictureError
from models.prediction.channel import Channel, Room
from models.prediction.names import shown
from models.prediction.reading import Place, Waiting
from models.prediction.sources import Problem
from models.reporting import Image

T = TypeVar("T")
Looks = Callable[
    [Generator[Sequence[Image] | None, None, None]], Generator[Sequence[Any], None, None]
]
"""Batches of pictures in, each one's results out, in order, while further ones may be taken. None
is no batch: the next one isn't there yet, so what is under way is given first."""

_MEMORY = 768 << 20
"""Bytes of decoded pictures that may be under way; one batch always may."""
_BATCH_MEMORY = 256 << 20
"""A batch of larger pictures is smaller than asked for."""


_LOWER = 5
"""Steps of niceness by which threads that decode and draw stand back."""


@dataclass(frozen=True)
class _Decoding:
    places: Sequence[Place]
    images: Sequence[Future[Image]]
    size: int


@dataclass(frozen=True)
class _Looking:
    places: Sequence[Place]
    images: Sequence[Image]
    size: int


@dataclass(frozen=True)
class _Rendering(Generic[T]):
    done: Sequence[Future[T]]
    size: int


class Flow(Generic[T]):
    """Runs pictures through a network: one thread reads, one predicts, several decode and draw."""

    def __init__(
        self,
        predict: Looks,
        render: Callable[[Place, Image, Any], T],
        problem: Problem,
        *,
        batch: int = 1,
        workers: int | None = None,
    ) -> None:
        """Join the parts.

        Args:
            predict: the network; called once, in a thread of its own.
            render: draws and encodes one picture's result; called from several threads.
            problem: told what can't be decoded; called from one thread at a time.
            batch: pictures that go to `predict` at once.
            workers: threads that decode and render; as many as there are cores unless given.
        """
        self._predict = predict
        self._render = render
        self._problem = problem
        self._batch = batch
        self._workers = workers or min(8, len(os.sched_getaffinity(0)))
        waiting = max(2, -(-2 * self._workers // batch))
        self._decoding: Channel[_Decoding] = Channel(waiting)
        self._rendering: Channel[_Rendering[T]] = Channel(waiting)
        self._room = Room(_MEMORY)

    def run(self, pictures: Iterable[Waiting]) -> Generator[T, None, None]:
        """Give what `render` made of each picture, in order.

        What goes wrong in any of the threads is raised here.
        """
        with ThreadPoolExecutor(self._workers, "picture", _stand_back) as pool:
            reading = self._thread(self._read, self._decoding, pictures, pool)
            predicting = self._thread(self._infer, self._rendering, pool)
            try:
                for batch in self._rendering:
                    for one in batch.done:
                        yield one.result()
                    self._room.give(batch.size)
            finally:
                # However it ends: let the threads go that wait for room or for work.
                self._decoding.give_up()
                self._rendering.give_up()
                self._room.give_up()
                predicting.join()
                reading.join()

    def _thread(
        self, work: Callable[..., None], into: Channel[Any], *arguments: Any
    ) -> threading.Thread:
        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                into.end(error)
            else:
                into.end()

        thread = threading.Thread(target=run, name=work.__name__, daemon=True)
        thread.start()
        return thread

    def _read(self, pictures: Iterable[Waiting], pool: ThreadPoolExecutor) -> None:
        for batch in _batches(pictures, self._batch):
            size = sum(one.pixels for one in batch) * 3
            if not self._room.take(size):
                return
            images = [pool.submit(one.decode) for one in batch]
            if not self._decoding.put(_Decoding([one.place for one in batch], images, size)):
                return

    def _infer(self, pool: ThreadPoolExecutor) -> None:
        under_way: deque[_Looking] = deque()
        with closing(self._predict(self._batches(under_way))) as predicted:
            for results in predicted:
                looked = under_way.popleft()
                done = [
                    pool.submit(self._render, place, image, result)
                    for place, image, result in zip(
                        looked.places, looked.images, results, strict=True
                    )
                ]
                if not self._rendering.put(_Rendering(done, looked.size)):
                    return

    def _batches(self, under_way: deque[_Looking]) -> Generator[Sequence[Image] | None, None, None]:
        for batch in self._decoding:
            places, images = [], []
            for place, image in zip(batch.places, batch.images, strict=True):
                try:
                    images.append(image.result())
                    places.append(place)
                except PictureError as error:
                    self._problem(place.source, shown(error))
            if images:
                under_way.append(_Looking(places, images, batch.size))
                yield images
            else:
                self._room.give(batch.size)
            if under_way and self._decoding.empty():
                # Whoever reads may be waiting for the room of what is under way.
                yield None


def _stand_back() -> None:
    """Let the network's threads go before this one.

    They wait for one another at each layer: a core that is taken from one of them stands still on
    all the others. When the network itself has to wait, decoding has all cores.
    """
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):
            now = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(19, now + _LOWER))


def _batches(pictures: Iterable[Waiting], most: int) -> Iterator[list[Waiting]]:
    batch: list[Waiting] = []
    size = 0
    for one in pictures:
        if batch and size + 3 * one.pixels > _BATCH_MEMORY:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += 3 * one.pixels
        if len(batch) == most:  # at once: a camera's next frame may be long in coming
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
