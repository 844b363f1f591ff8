"""How far one runtime's readings are from another's on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.ocr.readings import Reading


def differences(
    reference: Sequence[Reading], candidate: Sequence[Reading], floor: float
) -> dict[str, NDArray[np.float64]]:
    """Compare texts and confidences.

    Args:
        reference: the readings of each picture.
        candidate: the other runtime's.
        floor: readings that are less sure than this in both are left out.

    Returns:
        `score`: for each reading the largest difference among the confidences of the line and of
        its characters; infinite where the texts differ.
    """
    scores = []
    for one, other in zip(reference, candidate, strict=True):
        if max(one.confidence, other.confidence) < floor:
            continue
        if one.text != other.text:
            scores.append(np.inf)
            continue
        apart = np.abs(one.characters - other.characters).max(initial=0.0)
        scores.append(max(float(apart), abs(one.confidence - other.confidence)))
    return {"score": np.array(scores, np.float64)}
