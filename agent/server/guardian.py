"""A small process beside the server that starts it again when it dies without having been told to.

The server holds one end of a pipe and says goodbye through it when it ends in order. Whatever
else closes the pipe (a kill, a fault, no memory left) is its death: the guardian then becomes the
new server, which starts a guardian of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

_GOODBYE = b"goodbye"
_SHORT_LIFE = 1.0
_PAUSE = 1.0
_PATIENCE = 5
"""After so many lives of less than a second in a row there is a pause before the next."""

_LIVES = "SIGHTLINE_SERVER_SHORT_LIVES"
"""In the environment: how many short lives there were in a row."""


class Guardian:
    """The server's side: starts the guardian, and another when that one ends.

    Args:
        arguments: The server's command line, to start it with again.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self._ending = threading.Event()
        self._pipe = -1
        threading.Thread(target=self._keep, name="guardian", daemon=True).start()

    def _keep(self) -> None:
        while not self._ending.is_set():
            reading, writing = os.pipe()
            process = subprocess.Popen(
                [sys.executable, "-m", "agent.server.guardian", str(reading), *self._arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=(reading,),
            )
            os.close(reading)
            earlier, self._pipe = self._pipe, writing
            if earlier >= 0:
                os.close(earlier)
            process.wait()
            self._ending.wait(_PAUSE)

    def end(self) -> None:
        """Say that the server ends in order."""
        self._ending.set()
        if self._pipe >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._pipe, _GOODBYE)


def main(arguments: Sequence[str]) -> int:
    """Wait for the server's end; become the new one unless it said goodbye."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then says so
    pipe, began = int(arguments[0]), time.monotonic()
    said = b""
    while piece := os.read(pipe, 64):
        said += piece
    if said == _GOODBYE:
        return 0
    os.close(pipe)
    short = int(os.environ.get(_LIVES, "0")) + 1 if time.monotonic() - began < _SHORT_LIFE else 0
    os.environ[_LIVES] = str(short)
    if short >= _PATIENCE:
        time.sleep(_PAUSE)
    sys.stderr.write("agent.server: the server died; starting it again\n")
    sys.stderr.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return os.execv(  # noqa: S606
        sys.executable, [sys.executable, "-m", "agent.server", *arguments[1:]]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
