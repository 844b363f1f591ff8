"""The order in which a line's characters stand in the picture, from left to right.

A network reads from left to right. Hebrew and Arabic run the other way, with numbers and Latin
words inside them that don't: what is stored (the logical order) and what is seen (the visual order)
differ. These are rules L1 and L2 of the Unicode bidirectional algorithm (UAX 9) for one line whose
base direction is known, cut down so that the way there is also the way back.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

Direction = Literal["left-to-right", "right-to-left"]

_LEFTWARDS = ("R", "AL")
_RIGHTWARDS = ("L", "EN", "AN")
_ALONG = ("NSM",)
"""Marks that stand on the character before them."""


def reorder(text: str) -> list[int]:
    """Give the places of a right-to-left line's characters in the other order.

    Args:
        text: in logical or in visual order.

    Returns:
        For each place of the other order the place in `text`; marks stay behind their letters.
        Applied twice it gives the text again.
    """
    clusters = _clusters(text)
    order: list[int] = []
    if clusters and unicodedata.bidirectional(text[0]) in _ALONG:
        order += clusters.pop(0)  # marks without a letter stay where they are
    kinds = [unicodedata.bidirectional(text[cluster[0]]) for cluster in clusters]
    for run in reversed(_runs(kinds)):
        places = run if _goes_right(kinds[run[0]]) else reversed(run)
        order += [place for index in places for place in clusters[index]]
    return order


def direction_of(texts: Iterable[str]) -> Direction:
    """Say which way most letters of some texts run; numbers and signs don't count."""
    balance = 0
    for text in texts:
        for character in text:
            kind = unicodedata.bidirectional(character)
            balance += (kind in _LEFTWARDS) - (kind == "L")
    return "right-to-left" if balance > 0 else "left-to-right"


def _clusters(text: str) -> list[list[int]]:
    found: list[list[int]] = []
    for place, character in enumerate(text):
        if found and unicodedata.bidirectional(character) in _ALONG:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _goes_right(kind: str) -> bool:
    return kind in _RIGHTWARDS


def _runs(kinds: Sequence[str]) -> list[list[int]]:
    """Cut into runs that keep their order in both directions, and single places that don't.

    What is neutral between two characters of numbers or Latin words belongs to them.
    """
    runs: list[list[int]] = []
    place = 0
    while place < len(kinds):
        end = place
        if _goes_right(kinds[place]):
            for later in range(place + 1, len(kinds)):
                if kinds[later] in _LEFTWARDS:
                    break
                if _goes_right(kinds[later]):
                    end = later
        runs.append(list(range(place, end + 1)))
        place = end + 1
    return runs
