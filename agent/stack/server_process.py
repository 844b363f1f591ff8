"""The process of the embedded server, also after it has started itself again."""

from __future__ import annotations

import psutil

from agent.stack import processes
from agent.stack.state import StackState

SERVER_ROLE = "server"
"""The mark of the server's processes."""


def server_process(state: StackState) -> psutil.Process | None:
    """The server that runs: the one that `up` started, or the one that took its place.

    A server that was killed starts again by itself, as another process of the same role.
    """
    found = processes.find(state.server)
    if found is not None or state.server is None:
        return found
    for process in processes.marked(state.id, SERVER_ROLE):
        try:
            if "agent.server" in process.cmdline():
                return process
        except psutil.Error:
            continue
    return None
