"""Greedy CTC decoding of many lines at once. Needs NumPy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def greedy(
    log_probs: NDArray[np.float32], blank: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Take the likeliest class of each step, then one of each run of equals, then no blanks.

    Args:
        log_probs: logarithms of probabilities, shape (lines, steps, classes).
        blank: class index of CTC's blank.

    Returns:
        Class indices of all lines' characters end to end; the probability of each, at the surest
        step of its run; the characters of each line.
    """
    best = log_probs.argmax(axis=2)
    top = np.take_along_axis(log_probs, best[..., None], axis=2)[..., 0]
    return collapse(best, np.exp(top), blank)


def collapse(
    best: NDArray[np.int64], scores: NDArray[np.float32], blank: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Merge runs of equal classes and drop blanks.

    Args:
        best: class index of each step, shape (lines, steps).
        scores: of it, same shape.
        blank: class index of CTC's blank.

    Returns:
        As `greedy`.
    """
    lines, steps = best.shape
    starts = np.ones((lines, steps), bool)
    np.not_equal(best[:, 1:], best[:, :-1], out=starts[:, 1:])
    if not starts.size:
        return np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(lines, np.int64)
    first = np.flatnonzero(starts)
    classes = best.reshape(-1)[first]
    # Each line begins a run, so no run reaches into the next line.
    surest = np.maximum.reduceat(scores.reshape(-1), first)
    kept = classes != blank
    counts = np.bincount(first[kept] // steps, minlength=lines).astype(np.int64)
    return classes[kept].astype(np.int64), surest[kept].astype(np.float32), counts
