"""How far one runtime's detections are from another's on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections


def differences(
    reference: Sequence[Detections], candidate: Sequence[Detections], floor: float
) -> dict[str, NDArray[np.float64]]:
    """Pair detections and measure how far apart they are.

    Detections are paired greedily, the surest first, with the nearest one of the same class, where
    near is the largest of the four edges' distances in pixels plus the scores' difference x 100: so
    that of two boxes in one place the one with the like score is taken.

    Args:
        reference: uncut detections of each picture.
        candidate: the other runtime's.
        floor: detections that are less sure than this in both are left out.

    Returns:
        `score` and `position` (largest distance of the four edges, pixels), one entry for each
        detection at least as sure as `floor`; infinite for one without a partner.
    """
    scores: list[float] = []
    positions: list[float] = []
    for one, other in zip(reference, candidate, strict=True):
        left = np.ones(len(other), bool)
        # From half the floor on, so that scores which lie astride of it still meet.
        for index in np.flatnonzero(one.scores >= floor / 2):
            place = np.abs(other.boxes - one.boxes[index]).max(axis=1, initial=0.0)
            score = np.abs(other.scores - one.scores[index])
            alike = left & (other.classes == one.classes[index])
            away = np.where(alike, place + 100 * score, np.inf)
            partner = int(away.argmin()) if alike.any() else None
            if partner is not None:
                left[partner] = False
                if max(one.scores[index], other.scores[partner]) >= floor:
                    scores.append(float(score[partner]))
                    positions.append(float(place[partner]))
            elif one.scores[index] >= floor:
                scores.append(np.inf)
                positions.append(np.inf)
        alone = int((left & (other.scores >= floor)).sum())
        scores += [np.inf] * alone
        positions += [np.inf] * alone
    return {"score": np.array(scores), "position": np.array(positions)}
