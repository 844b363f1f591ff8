"""What a check has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check went, the worst last."""

    OK = "ok"
    SKIPPED = "skipped"
    """Couldn't be looked at, because of what another finding says."""
    WARNING = "warning"
    """Something will be slow, wait, or not be there for some stages."""
    ERROR = "error"
    """Nothing will run, or what runs will fail."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        check: What was looked at: `server`, `queue gpu`, `disk`.
        level: How it went.
        said: What was found.
        advice: What to do about it; empty if nothing.
    """

    check: str
    level: Level
    said: str
    advice: str = ""


def ok(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, said)


def skipped(check: str, said: str) -> Finding:
    """Nothing could be seen."""
    return Finding(check, Level.SKIPPED, said)


def warning(check: str, said: str, advice: str) -> Finding:
    """Something is in the way of some stages."""
    return Finding(check, Level.WARNING, said, advice)


def error(check: str, said: str, advice: str) -> Finding:
    """Something is in the way of all."""
    return Finding(check, Level.ERROR, said, advice)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if all is well, 1 after warnings, 2 after an error."""
    levels = {finding.level for finding in findings}
    return 2 if Level.ERROR in levels else 1 if Level.WARNING in levels else 0
