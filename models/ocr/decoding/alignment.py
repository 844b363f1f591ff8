"""Where in a sequence the characters of a given text stand. Needs NumPy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEVER = -1e30


def character_scores(
    log_probs: NDArray[np.float32], text: NDArray[np.int64], blank: int
) -> NDArray[np.float32]:
    """Give the probability of each character at its surest step of the likeliest alignment.

    Args:
        log_probs: of one line, shape (steps, classes).
        text: class indices, shape (N,), which the steps have room for.
        blank: class index of CTC's blank.

    Returns:
        Shape (N,); zeros where the steps have no room for the text.
    """
    steps = len(log_probs)
    states = np.full(2 * len(text) + 1, blank, np.int64)
    states[1::2] = text
    skips = np.zeros(len(states), bool)
    skips[3::2] = text[1:] != text[:-1]
    best = np.full(len(states), _NEVER)
    best[:2] = log_probs[0, states[:2]]
    moves = np.zeros((steps, len(states)), np.int64)
    for step in range(1, steps):
        onward = np.concatenate([[_NEVER], best[:-1]])
        jumped = np.where(skips, np.concatenate([[_NEVER, _NEVER], best[:-2]]), _NEVER)
        ways = np.stack([best, onward, jumped[: len(states)]])
        moves[step] = ways.argmax(axis=0)
        best = ways.max(axis=0) + log_probs[step, states]
    at = len(states) - 1
    if len(text) and best[at - 1] > best[at]:
        at -= 1
    scores = np.zeros(len(text), np.float32)
    if best[at] <= _NEVER / 2:
        return scores
    for step in reversed(range(steps)):
        if at % 2:
            place = at // 2
            scores[place] = max(scores[place], float(np.exp(log_probs[step, states[at]])))
        at -= int(moves[step, at])
    return scores
