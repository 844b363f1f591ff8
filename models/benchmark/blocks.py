"""Timed calls of one engine, in a block of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

PAUSE = 0.2
"""Seconds before a block, in which thread pools of what came before fall asleep."""
WARM_UP = 3
"""Calls that aren't counted, or as many as fit into a tenth of the block, if that is more."""
LEAST = 3
"""Timed calls, however long they take."""


@dataclass(frozen=True)
class Block:
    """Calls that were timed one after the other."""

    times: list[float]
    """Seconds of each."""
    cores: float
    """Cores that the process kept busy meanwhile, on average."""


def timed_calls(
    call: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Block:
    """Call for a while, after a pause and a warm-up, and note how long each call took.

    Args:
        call: what to time.
        seconds: how long to go on; the warm-up comes on top.
        clock: seconds.
    """
    time.sleep(PAUSE)
    start = clock()
    warm = 0
    while warm < WARM_UP or clock() - start < seconds / 10:
        if warm and clock() - start > seconds:  # a slow one is warm by now
            break
        call()
        warm += 1
    times: list[float] = []
    busy = time.process_time()
    begun = before = clock()
    end = begun + seconds
    while len(times) < LEAST or before < end:
        call()
        after = clock()
        times.append(after - before)
        before = after
    return Block(times, (time.process_time() - busy) / max(before - begun, 1e-9))
