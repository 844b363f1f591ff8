"""From logits to named classes. NumPy alone: this is also what a deployment ships."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Classification:
    """What a model says about one picture."""

    scores: NDArray[np.float32]
    """Confidence of every class, (classes,); they sum to 1 unless there may be several."""
    named: NDArray[np.int64]
    """Indices of the classes that it names, the surest first; none is "don't know"."""

    def __len__(self) -> int:
        return len(self.named)


def confidences(
    logits: NDArray[np.float32], kind: str, temperature: float = 1.0
) -> NDArray[np.float32]:
    """Turn logits into confidences.

    Args:
        logits: (B, classes).
        kind: `softmax`, one class a picture, or `sigmoid`, any number.
        temperature: logits are divided by it (Guo et al., 2017): above 1 makes it less sure.

    Returns:
        (B, classes), 0 to 1; 0 where a logit is no number, so that it is never named.
    """
    scaled = logits.astype(np.float64) / temperature
    if kind == "sigmoid":
        found = 0.5 * (1 + np.tanh(scaled / 2))
    else:
        with np.errstate(invalid="ignore"):
            found = np.exp(scaled - scaled.max(axis=1, keepdims=True))
            found /= found.sum(axis=1, keepdims=True)
    return np.nan_to_num(found, nan=0.0).astype(np.float32)


def name_classes(
    scores: NDArray[np.float32], limits: NDArray[np.float32] | float, kind: str
) -> list[Classification]:
    """Say which classes each picture shows.

    Args:
        scores: (B, classes).
        limits: least confidence, for all classes or each.
        kind: with `softmax` only the surest class may be named, with `sigmoid` every one that
            reaches its limit.
    """
    found = []
    for row in scores:
        one = kind == "softmax"
        order = row.argmax(keepdims=True) if one else np.argsort(-row, kind="stable")
        enough = row[order] >= np.broadcast_to(np.asarray(limits, np.float32), row.shape)[order]
        # A score of 0 comes of logits that are no numbers.
        found.append(Classification(row, order[enough & (row[order] > 0)].astype(np.int64)))
    return found
