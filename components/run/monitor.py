"""The agent that watches this process, and says at its end how the task ended.

It knows only the exit code, and writes a status, reason and message of its own over ours. Where
ours says more, the agent must see the task's status before it sees the process end.
"""

from __future__ import annotations

import os
import signal
import time

import psutil

_PATIENCE_SECONDS = 20.0
"""An agent looks at its task's status every five seconds or oftener."""
_POLL = "CLEARML_AGENT_QUEUE_POLL_FREQ_SEC"
"""How often an agent looks, in seconds, if it was told to."""


def interrupt_monitor() -> bool:
    """Have the agent's monitor of this process end as by Ctrl-C, which ends this process too.

    An agent in services mode turns every exit code but 0 into `failed`, whatever the task's status
    is. Only an interrupted monitor leaves the status of a task that has ended as it is.

    Returns:
        False if this process has no such monitor.
    """
    monitor = _monitor()
    if monitor is None:
        return False
    monitor.send_signal(signal.SIGINT)
    time.sleep(10.0)
    return True


def _monitor() -> psutil.Process | None:
    parent = psutil.Process().parent()
    words = parent.cmdline() if parent else []
    return parent if "execute" in words and "--disable-monitoring" not in words else None


def keep_failure() -> None:
    """Have the agent leave the status message of a task that was just marked failed.

    The agent ends a process whose task has failed and then says nothing more; a process that ends
    by itself first has its message written over. Without an agent this returns at once.

    Only for failures after which nobody starts the task again: while this waits, the process is
    still there.
    """
    if not os.environ.get("CLEARML_TASK_ID"):
        return
    # An interrupted monitor leaves the lines that it hasn't read yet.
    time.sleep(1.0 + 2.0 * float(os.environ.get(_POLL) or 5.0) if _monitor() else 0.0)
    if not interrupt_monitor():
        time.sleep(_PATIENCE_SECONDS)
