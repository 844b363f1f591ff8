"""A small process beside the server that takes its place when it dies without having been told to.

It is forked from the server before that opens anything, so all code is loaded in it, in memory that
the two share. The server holds one end of a pipe, through which it tells its port and says goodbye
when it ends in order. Whatever else closes the pipe (a kill, a fault, no memory left) is its death:
the guardian then goes on as the new server, within a tenth of a second, with a guardian of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from . import titles

_GOODBYE = b"goodbye"
_SHORT_LIFE = 0.2
_PAUSE = 1.0
_PATIENCE = 5
"""After so many short lives in a row there is a pause before the next."""


class Guardian:
    """The server's side: knows the guardian, and starts another when that one ends.

    Args:
        process: The guardian's process id.
        pipe: The server's end of the pipe.
        port: The port of the server before this one, if it came so far as to have one.
        succeeds: Whether there was a server before this one.
    """

    def __init__(self, process: int, pipe: int, port: int | None, *, succeeds: bool) -> None:
        self.succeeds = succeeds
        """Whether this server takes the place of one that has just died."""
        self.port = port
        """Where the server before this one listened."""
        self._process = process
        self._pipe = pipe
        self._arguments: list[str] = []
        self._ending = threading.Event()

    def watch(self, arguments: Sequence[str], port: int) -> None:
        """The server listens: tell where, and from now on see that there is a guardian.

        Args:
            arguments: The server's command line, for a guardian that isn't forked from it.
            port: Where the server listens.
        """
        self._arguments = [*arguments, "--port", str(port)]
        self._tell(f"{port}\n".encode())
        threading.Thread(target=self._keep, name="guardian", daemon=True).start()

    def end(self) -> None:
        """Say that the server ends in order."""
        self._ending.set()
        self._tell(_GOODBYE)

    def _keep(self) -> None:
        while True:
            began = time.monotonic()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._process, 0)
            if self._ending.wait(_PAUSE if time.monotonic() - began < _SHORT_LIFE else 0):
                return
            # Not a fork: this process has threads by now.
            reading, writing = os.pipe()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent.server.guardian", str(reading), *self._arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=(reading,),
            ).pid
            os.close(reading)
            earlier, self._pipe = self._pipe, writing
            os.close(earlier)

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, message)


def guarded() -> Guardian:
    """Fork a guardian. Returns in the server, and once more in each that takes its place.

    The process must not have threads yet.
    """
    gc.freeze()  # what is loaded stays shared
    port: int | None = None
    lives = short = 0
    while True:
        reading, writing = os.pipe()
        began = time.monotonic()
        # Shown before there are two: at no time does the guardian look like the server.
        with titles.shown_as("agent.server", "agent.server.guardian", without="--restart"):
            process = os.fork()
            if not process:
                os.close(writing)
                port = _wait(reading) or port
        if process:
            os.close(reading)
            return Guardian(process, writing, port, succeeds=lives > 0)
        lives += 1
        short = short + 1 if time.monotonic() - began < _SHORT_LIFE else 0
        if short >= _PATIENCE:
            time.sleep(_PAUSE)


def _wait(pipe: int) -> int | None:
    """Wait until the server has died; the port it listened on, if it came so far.

    Ends the process if the server ends in order.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then says so
    said = b""
    while piece := os.read(pipe, 64):
        said += piece
    if said.endswith(_GOODBYE):
        os._exit(0)
    os.close(pipe)
    sys.stderr.write("agent.server: the server died; starting it again\n")
    sys.stderr.flush()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return int(said) if said.strip() else None


def main(arguments: Sequence[str]) -> int:
    """Stand in for a guardian that died: wait for the server's end, then be the new one."""
    from . import __main__ as server

    server.load()
    _wait(int(arguments[0]))
    titles.show([sys.executable, "-m", "agent.server", *arguments[1:]])
    return server.main(arguments[1:], succeeds=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
