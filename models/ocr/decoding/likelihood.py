"""The exact probability of given texts under CTC. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_NEVER = np.float64(-1e30)


def log_likelihoods(
    log_probs: NDArray[np.float32], texts: Sequence[NDArray[np.int64]], blank: int
) -> NDArray[np.float64]:
    """Sum over all alignments of each text with one line's steps (Graves et al., 2006, 4.1).

    Args:
        log_probs: of one line, shape (steps, classes).
        texts: class indices of each text.
        blank: class index of CTC's blank.

    Returns:
        Logarithm of each text's probability, -1e30 and less for one that takes more steps.
    """
    most = max((len(text) for text in texts), default=0)
    padded = np.full((len(texts), most), blank, np.int64)
    for row, text in zip(padded, texts, strict=True):
        row[: len(text)] = text
    lengths = np.array([len(text) for text in texts], np.int64)
    states = np.full((len(texts), 2 * most + 1), blank, np.int64)
    states[:, 1::2] = padded
    skips = np.zeros(states.shape, bool)
    skips[:, 3::2] = padded[:, 1:] != padded[:, :-1]
    values = log_probs.astype(np.float64)
    alpha = np.full(states.shape, _NEVER)
    alpha[:, 0] = values[0, blank]
    if most:
        alpha[:, 1] = np.where(lengths > 0, values[0, states[:, 1]], _NEVER)
    for now in values[1:]:
        onward = np.full(alpha.shape, _NEVER)
        onward[:, 1:] = alpha[:, :-1]
        jumped = np.full(alpha.shape, _NEVER)
        jumped[:, 2:] = np.where(skips[:, 2:], alpha[:, :-2], _NEVER)
        alpha = np.logaddexp(np.logaddexp(alpha, onward), jumped) + now[states]
    rows = np.arange(len(texts))
    ends = alpha[rows, 2 * lengths]
    found: NDArray[np.float64] = np.where(
        lengths > 0, np.logaddexp(ends, alpha[rows, np.maximum(2 * lengths - 1, 0)]), ends
    )
    return found
