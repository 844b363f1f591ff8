"""What threads hand to one another: in order, bounded, and with an end that all of them see."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """A queue from one thread to another that can end, fail and be given up."""

    def __init__(self, most: int) -> None:
        """Make one in which at most `most` things wait."""
        self._most = most
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._given_up = False
        self._error: BaseException | None = None

    def put(self, thing: T) -> bool:
        """Hand something over, waiting for room.

        Returns:
            False if nobody will take it any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or len(self._waiting) < self._most)
            if self._given_up:
                return False
            self._waiting.append(thing)
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more will come; the taker gets `error` after what waits still."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def give_up(self) -> None:
        """Say that nothing more will be taken."""
        with self._changed:
            self._given_up = True
            self._waiting.clear()
            self._changed.notify_all()

    def empty(self) -> bool:
        """Say whether the taker would have to wait."""
        with self._changed:
            return not (self._waiting or self._ended or self._given_up)

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended or self._given_up)
                if not self._waiting:
                    if self._error is not None:
                        raise self._error
                    return
                thing = self._waiting.popleft()
                self._changed.notify_all()
            yield thing


class Room:
    """Bytes that may be in memory at once. What is larger than all of it goes alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._changed = threading.Condition()
        self._given_up = False

    def take(self, amount: int) -> bool:
        """Wait until `amount` bytes fit; False if there is no use in waiting any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._given_up or not self._used or self._used + amount <= self._size
            )
            self._used += amount
            return not self._given_up

    def give(self, amount: int) -> None:
        """Give them back."""
        with self._changed:
            self._used -= amount
            self._changed.notify_all()

    def give_up(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
