"""Ctrl-C ends a training, not the program: what was learned so far is kept and used."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interrupts(announce: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request; the second one interrupts as usual.

    Where somebody else has taken Ctrl-C already it stays theirs: they know how to ask for a stop.
    SIGTERM keeps its meaning and ends the process: Lightning would make it exit with status 0,
    which a supervisor reads as success.

    Yields:
        A function that says whether Ctrl-C was pressed.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    before_int = signal.getsignal(signal.SIGINT)
    before_term = signal.getsignal(signal.SIGTERM)

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before_int)
        announce("Ctrl-C: training ends after this batch and goes on with the best weights so far")

    def on_terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    if before_int is signal.default_int_handler:
        signal.signal(signal.SIGINT, on_interrupt)
    if before_term is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before_int)
        signal.signal(signal.SIGTERM, before_term)


def leave_interrupts_alone(worker: int) -> None:
    """Let a loader process ignore Ctrl-C, which a terminal sends to all: its master decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
