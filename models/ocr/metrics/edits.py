"""Edit distance (Levenshtein, 1966) and what was mistaken for what, by rapidfuzz."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

NOTHING = ""
"""What stands for a character that is missing, or that isn't there."""


def edit_distances(truths: Sequence[str], texts: Sequence[str]) -> NDArray[np.int64]:
    """Count the characters to insert, delete or change for each pair of texts."""
    from rapidfuzz.distance import Levenshtein

    pairs = zip(truths, texts, strict=True)
    return np.array([Levenshtein.distance(truth, text) for truth, text in pairs], np.int64)


def confusions(truths: Iterable[str], texts: Iterable[str]) -> Counter[tuple[str, str]]:
    """Count which character was read as which, along a shortest way from truth to text.

    Returns:
        Counts by (true character, read character); `NOTHING` as the true one for an inserted
        character, and as the read one for a missed one.
    """
    from rapidfuzz.distance import Levenshtein

    found: Counter[tuple[str, str]] = Counter()
    for truth, text in zip(truths, texts, strict=True):
        if truth == text:
            found.update((letter, letter) for letter in truth)
            continue
        for code in Levenshtein.opcodes(truth, text):
            true, read = truth[code.src_start : code.src_end], text[code.dest_start : code.dest_end]
            if code.tag == "delete":
                found.update((letter, NOTHING) for letter in true)
            elif code.tag == "insert":
                found.update((NOTHING, letter) for letter in read)
            else:
                found.update(zip(true, read, strict=True))
    return found
