"""Progress lines with an estimate of what is left, not more of them than people read."""

from __future__ import annotations

import time
from collections.abc import Callable


class Progress:
    """Writes a line at the start and the end of long work and now and then between."""

    def __init__(
        self,
        write: Callable[[str], None],
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write with `write`, at most every `seconds`."""
        self._write = write
        self._seconds = seconds
        self._clock = clock
        self._started: dict[str, tuple[float, int]] = {}
        self._last = 0.0

    def __call__(self, description: str, done: int, total: int) -> None:
        """Say that `done` of `total` items are finished."""
        now = self._clock()
        finished = done >= total
        if description not in self._started:
            self._started[description] = (now, done)
            self._last = now
            if finished:
                self._started.pop(description)
                self._write(f"{description}: {done} of {total}")
            return
        if not finished and now - self._last < self._seconds:
            return
        start, first = self._started[description]
        self._last = now
        if finished:
            del self._started[description]
            self._write(f"{description}: {done} of {total} in {span(now - start)}")
            return
        left = (now - start) / max(done - first, 1) * (total - done)
        self._write(f"{description}: {done} of {total} ({done / total:.0%}), {span(left)} left")


def span(seconds: float) -> str:
    """Write a duration for people, as `42 s`, `3 min 20 s` or `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
