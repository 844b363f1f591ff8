"""One command at a time changes a stack."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.stack.errors import StackError
from agent.stack.home import StackHome, disk_errors


@contextmanager
def exclusive(
    home: StackHome, tell: Callable[[str], None], patience_s: float = 120.0
) -> Iterator[None]:
    """Hold the stack's lock; the kernel releases it however this process ends.

    Args:
        home: The stack.
        tell: Gets a line if another command holds the lock.
        patience_s: Seconds to wait for that other command.

    Raises:
        StackError: The other command didn't end in time.
    """
    with disk_errors(home.root):
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + patience_s
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "?"
                if not told:
                    tell(f"another sightline command (pid {holder}) is changing the stack; waiting")
                    told = True
                if time.monotonic() > deadline:
                    raise StackError(
                        f"another sightline command (pid {holder}) has held the stack for "
                        f"{patience_s:.0f} s; see what it does, or end it, and try again"
                    ) from None
                time.sleep(0.1)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
