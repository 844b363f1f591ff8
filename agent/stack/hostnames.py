"""Names by which clients reach a server that listens on loopback: behind a proxy or a tunnel."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.stack.errors import StackError

NONE = "none"
"""Given in the place of a name: forget those that were given earlier."""

_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def check_names(given: Sequence[str]) -> tuple[str, ...] | None:
    """The names that a user gave for the server; None if they said nothing.

    Raises:
        StackError: One is not a host's name.
    """
    if not given:
        return None
    names = tuple(dict.fromkeys(name.strip().lower().rstrip(".") for name in given))
    if names == (NONE,):
        return ()
    for name in names:
        if name == NONE or not _NAME.fullmatch(name):
            raise StackError(
                f"--allow-host: {name!r} isn't a host's name, as in clearml.example.com "
                "(no http://, no port)"
            )
    return names
