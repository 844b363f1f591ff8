"""How many steps of an output sequence a text takes. No torch in here."""

from __future__ import annotations

import itertools
from collections.abc import Iterable


def steps_needed(text: str) -> int:
    """Count the steps that CTC needs to write a text (Graves et al., 2006, section 3.1).

    Each character takes one, and equal neighbours have a blank between them: without it they would
    be read as one character seen twice.
    """
    repeats = sum(one == other for one, other in itertools.pairwise(text))
    return len(text) + repeats


def longest(texts: Iterable[str]) -> str:
    """Find the text that needs the most steps; an empty one if there is none."""
    return max(texts, key=steps_needed, default="")
