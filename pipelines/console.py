"""What a controller says: one line at a time on standard output, which is its task's log."""

from __future__ import annotations


def log(line: str) -> None:
    """Write a line."""
    print(line, flush=True)  # noqa: T201 (the agent collects standard output)
