"""A request to end early and keep what there is: Ctrl-C, or an abort in the web UI."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """Becomes true once, at the first Ctrl-C after `listen`; a second Ctrl-C interrupts."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._previous: Any = None

    def listen(self) -> None:
        """Take Ctrl-C as a request from now on. Only a process's main thread can."""
        if self._previous is not None or threading.current_thread() is not threading.main_thread():
            return
        self._previous = signal.signal(signal.SIGINT, self._on_signal)

    def forget(self) -> None:
        """Give Ctrl-C its former meaning back."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def ask(self) -> None:
        """Ask the run to stop."""
        self._asked.set()

    def __bool__(self) -> bool:
        return self._asked.is_set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()
