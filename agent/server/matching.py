"""The SQL function `matches`: patterns run over many texts, with an end to those that take long.

A pattern from outside can take for ever on a text of fifty characters. `regex` can stop after a
time, but looking at the clock costs it four times what a plain search of a name costs. So a search
is only watched where it could take long; in between, the clock is looked at once a text.
"""

from __future__ import annotations

import re
import threading
import time
from functools import lru_cache
from typing import Any

import regex

_PATIENCE = 1.0
"""Seconds that one query may spend on matching patterns."""

_SHORT = 200  # characters
_UNBOUNDED = re.compile(r"[*+{]")
_UNKNOWN = re.compile(r"\(\?(?!:|i:)|\)\s*[*+?{]|\\[0-9gk]")
"""Repeated groups, references back, and what else we don't look into."""

_budget = threading.local()
"""The end of the present query's patience, for each thread."""


def begin() -> None:
    """A query begins: it has all its patience yet."""
    _budget.end = None


def matches(pattern: str, value: Any) -> bool:
    """Whether a text matches a pattern somewhere.

    Raises:
        TimeoutError: The query's patience is at its end.
    """
    if value is None:
        return False
    now = time.monotonic()
    end: float | None = _budget.end
    if end is None:
        end = _budget.end = now + _PATIENCE
    elif now > end:
        raise TimeoutError("a pattern takes too long to match")
    search, is_quick = _compiled(pattern)
    text = value if isinstance(value, str) else str(value)
    if is_quick and len(text) <= _SHORT:
        return search(text) is not None
    return search(text, timeout=max(1e-3, end - now)) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[Any, bool]:
    """A pattern's search, and whether it ends soon on any short text."""
    is_quick = len(_UNBOUNDED.findall(pattern)) <= 2 and not _UNKNOWN.search(pattern)
    return regex.compile(pattern).search, is_quick and len(pattern) <= _SHORT
