"""Whose failure it was: the user's is told in one line and not retried, the machine's is."""

from __future__ import annotations

import errno
import shutil
import sys
import traceback
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from components.code import CODE_FOLDERS, ROOT

OK = 0
MACHINE_FAILED = 1
USER_FAILED = 64
"""EX_USAGE of sysexits.h; an agent repeats it in its status reason."""
INTERRUPTED = 130
"""Shells' code for a process that Ctrl-C ended."""

KIND_KEY = "sightline_failure"
"""Runtime property of a failed task. (An agent overwrites status reason and message.)"""
MESSAGE_KEY = "sightline_failure_message"

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Failure(StrEnum):
    """Whose failure a task's was."""

    USER = "user"
    MACHINE = "machine"


class GateError(ValueError):
    """A figure is worse than the user allows."""


def failure_kind(runtime: Mapping[str, Any] | None, status_reason: str | None) -> Failure:
    """Tell whose failure ended a failed task, from its runtime properties and status reason."""
    if (runtime or {}).get(KIND_KEY) == Failure.USER:
        return Failure.USER
    if status_reason and status_reason.endswith(f"exit code {USER_FAILED}"):
        return Failure.USER
    return Failure.MACHINE


def is_users(error: BaseException) -> bool:
    """Tell whether an error is a user's mistake: a `ValueError` of ours or that our code raised.

    One that came out of a library is a fault of ours, and shows its traceback.
    """
    if not isinstance(error, ValueError):
        return False
    if type(error).__module__.partition(".")[0] in CODE_FOLDERS:
        return True
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return True
    place = Path(frames[-1].filename).resolve()
    return any(place.is_relative_to(ROOT / folder) for folder in CODE_FOLDERS)


def full_disk(error: BaseException) -> str:
    """The line to say of an error that a full disk has caused; empty for any other error."""
    if not isinstance(error, OSError):
        return ""
    file = error.filename2 or error.filename
    full = error.errno in _FULL
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        # Of copying a folder: a line for each file, of which there may be 100,000.
        signs = [f"[Errno {number}]" for number in _FULL]
        rows = [row for row in error.args[0] if any(sign in str(row[-1]) for sign in signs)]
        full, file = bool(rows), rows[0][1] if rows else None
    if not full:
        return ""
    where = f", at {file}" if file else ""
    return f"no room is left on the disk{where}: make room, or use a folder elsewhere"


def say(message: str) -> None:
    """Write a message for people to standard error."""
    sys.stderr.write(message.rstrip("\n") + "\n")
    sys.stderr.flush()
