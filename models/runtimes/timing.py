"""How long a call takes, measured so that engines don't disturb one another."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

_PAUSE = 0.1
_WARM_UP = 3


def median_ms(call: Callable[[], object], calls: int = 20, blocks: int = 3) -> float:
    """Time a call in blocks, each after a pause and a warm-up.

    Runtimes that take turns call by call fight over the cores with their thread pools, which was
    seen to double a figure; a pause lets the other pools fall asleep.

    Args:
        call: what to time.
        calls: timed calls in a block.
        blocks: how many blocks.

    Returns:
        The median over all blocks, milliseconds.
    """
    times: list[float] = []
    for _ in range(blocks):
        time.sleep(_PAUSE)
        for _ in range(_WARM_UP):
            call()
        for _ in range(calls):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3
