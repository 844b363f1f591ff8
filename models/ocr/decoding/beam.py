"""Prefix beam search for CTC, all lines and all hypotheses at once. Needs NumPy alone.

Graves et al. (2006) and Hannun et al. (2014), without a language model. A text's probability is the
sum over all its alignments; greedy decoding takes the likeliest alignment instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEVER = np.float32(-1e30)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Hypotheses:
    """The likeliest texts of some lines."""

    characters: NDArray[np.int64]
    """Class indices, shape (lines, beams, steps), -1 behind a text's end."""
    counts: NDArray[np.int64]
    """Characters of each, shape (lines, beams)."""
    log_probs: NDArray[np.float32]
    """Logarithm of the probability of each, shape (lines, beams), the likeliest first; -1e30 and
    less where there is no further text."""


def beam_search(
    log_probs: NDArray[np.float32], blank: int, width: int = 8, choices: int = 16
) -> Hypotheses:
    """Find the likeliest texts.

    Args:
        log_probs: logarithms of probabilities, shape (lines, steps, classes).
        blank: class index of CTC's blank.
        width: hypotheses kept at each step.
        choices: characters tried at each step, the likeliest ones.

    Returns:
        The hypotheses of each line.
    """
    lines, steps, classes = log_probs.shape
    choices = min(choices, classes - 1)
    # A prefix is told from others by a hash; its parent's says which of them one letter longer
    # is the same text as another.
    prefix = np.zeros((lines, width), np.uint64)
    parent = np.full((lines, width), np.uint64(1), np.uint64)
    last = np.full((lines, width), -1, np.int64)
    ends_blank = np.full((lines, width), _NEVER, np.float32)
    ends_blank[:, 0] = 0.0
    ends_letter = np.full((lines, width), _NEVER, np.float32)
    come_from = np.zeros((steps, lines, width), np.int64)
    added = np.full((steps, lines, width), -1, np.int64)
    rows = np.arange(lines)[:, None]
    for step in range(steps):
        now = log_probs[:, step]
        tried = _likeliest(now, blank, choices)
        gain = np.take_along_axis(now, tried, axis=1)
        total = np.logaddexp(ends_blank, ends_letter)
        # To stay: a blank, or the last letter once more.
        again = np.take_along_axis(now, np.maximum(last, 0), axis=1)
        stay_blank = total + now[:, blank, None]
        stay_letter = np.where(last >= 0, ends_letter + again, _NEVER)
        # To go on by a letter; after the same letter only past a blank.
        same = tried[:, None, :] == last[:, :, None]
        before = np.where(same, ends_blank[:, :, None], total[:, :, None])
        longer = np.maximum(before + gain[:, None, :], _NEVER)
        # Going on may lead to a text that is there already: then both are one.
        meets = parent[:, None, :] == prefix[:, :, None]
        meets &= total[:, :, None] > _NEVER / 2
        twin = meets[:, :, None, :] & (tried[:, None, :, None] == last[:, None, None, :])
        stay_letter = np.logaddexp(
            stay_letter, np.where(twin, longer[..., None], _NEVER).max(axis=(1, 2))
        )
        longer = np.where(twin.any(axis=3), _NEVER, longer)
        scores = np.concatenate(
            [np.logaddexp(stay_blank, stay_letter), longer.reshape(lines, -1)], axis=1
        )
        chosen = _best(scores, width)
        grows = chosen >= width
        source = np.where(grows, (chosen - width) // choices, chosen)
        letter = np.where(grows, tried[rows, (chosen - width) % choices], -1)
        come_from[step], added[step] = source, letter
        kept = np.take_along_axis(scores, chosen, axis=1)
        mother = prefix[rows, source]
        ends_letter = np.where(grows, kept, stay_letter[rows, source])
        ends_blank = np.where(grows, _NEVER, stay_blank[rows, source])
        parent = np.where(grows, mother, parent[rows, source])
        last = np.where(grows, letter, last[rows, source])
        prefix = np.where(grows, _longer(mother, letter), mother)
    return _trace(come_from, added, np.logaddexp(ends_blank, ends_letter))


def _likeliest(now: NDArray[np.float32], blank: int, count: int) -> NDArray[np.int64]:
    """Class indices of the likeliest characters of a step, shape (lines, count)."""
    without = now.copy()
    without[:, blank] = -np.inf
    if count == now.shape[1] - 1:
        return np.delete(np.arange(now.shape[1]), blank)[None].repeat(len(now), axis=0)
    found: NDArray[np.int64] = np.argpartition(-without, count - 1, axis=1)[:, :count]
    return found


def _best(scores: NDArray[np.float32], width: int) -> NDArray[np.int64]:
    """Places of the greatest scores in each row, the greatest first; of equals the first."""
    if scores.shape[1] > 4 * width:
        some = np.sort(np.argpartition(-scores, width - 1, axis=1)[:, :width], axis=1)
        order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
        return np.take_along_axis(some, order, axis=1)
    found: NDArray[np.int64] = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    return found


def _longer(prefix: NDArray[np.uint64], letter: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash a prefix with a letter behind it (multiplication wraps round, on purpose)."""
    mixed = (prefix ^ (prefix >> np.uint64(29))) * _MIX
    return mixed + (letter + 2).astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)


def _trace(
    come_from: NDArray[np.int64], added: NDArray[np.int64], log_probs: NDArray[np.float32]
) -> Hypotheses:
    """Follow each hypothesis back to its start."""
    steps, lines, width = come_from.shape
    order = np.argsort(-log_probs, axis=1, kind="stable")
    letters = np.full((lines, width, steps), -1, np.int64)
    at = order
    rows = np.arange(lines)[:, None]
    for step in reversed(range(steps)):
        letters[..., step] = added[step][rows, at]
        at = come_from[step][rows, at]
    written = letters >= 0
    front = np.argsort(~written, axis=2, kind="stable")
    return Hypotheses(
        np.take_along_axis(letters, front, axis=2),
        written.sum(axis=2),
        np.take_along_axis(log_probs, order, axis=1),
    )
