"""What the list of processes shows of this one: its command line, which Linux lets a process write.

A server's guardian is a copy of the server. Whoever looks for the server among the processes, to
end it or to see whether it runs, must not find the guardian.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path

_STAT = Path("/proc/self/stat")
_LINE = Path("/proc/self/cmdline")


@contextlib.contextmanager
def shown_as(word: str, other: str, *, without: str = "") -> Iterator[None]:
    """Show another word in the command line for a while. What no longer fits is cut off.

    Args:
        word: The word as it is; without it in the command line nothing happens.
        other: The word to show.
        without: A word that may go, to make room.
    """
    try:
        before = _LINE.read_bytes()
    except OSError:
        before = b""
    words = before.split(b"\0")
    if word.encode() not in words:
        yield
        return
    words[words.index(word.encode())] = other.encode()
    _write(b"\0".join(each for each in words if each != without.encode() or not each))
    try:
        yield
    finally:
        _write(before)


def show(words: Sequence[str]) -> None:
    """Show another command line. What doesn't fit into the old one's place is cut off."""
    _write("\0".join(words).encode() + b"\0")


def _write(line: bytes) -> None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        # After the name, which may hold anything, in brackets: fields 3 and on. 48 and 49 are the
        # addresses at which the command line begins and ends.
        fields = _STAT.read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        if 0 < start < end:
            room = end - start
            ctypes.memmove(start, line[: room - 1].ljust(room, b"\0"), room)
