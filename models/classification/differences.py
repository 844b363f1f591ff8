"""How far one runtime's classifications are from another's on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.classification.naming import Classification


def differences(
    reference: Sequence[Classification], candidate: Sequence[Classification], floor: float
) -> dict[str, NDArray[np.float64]]:
    """Compare the confidence of each class that either of the two is at least so sure of."""
    found = []
    for one, other in zip(reference, candidate, strict=True):
        there = np.maximum(one.scores, other.scores) >= floor
        found.append(np.abs(one.scores[there].astype(np.float64) - other.scores[there]))
    return {"score": np.concatenate([np.zeros(0), *found])}
