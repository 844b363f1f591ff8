"""The mistakes of a split one by one, and how bad each picture is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.errors import BACKGROUND, CLASS, KINDS, error_breakdown
from models.detection.metrics.matching import box_iou
from models.detection.metrics.truth import Truth


@dataclass(frozen=True)
class Mistake:
    """A false detection, or an object that wasn't found."""

    picture: int
    kind: str
    """One of `KINDS`: for a false detection what is wrong with it, else `missed`."""
    badness: float
    """The confidence of a false detection; 1 for a missed object less the confidence, below the
    threshold, with which it was seen."""
    box: tuple[float, float, float, float]
    """xyxy, of the detection or of the missed object."""
    said: int | None
    """Class index of the detection; None for a missed object."""
    true: int | None
    """Class index of the object that it overlaps most, or of the missed one; None for background.
    """
    confidence: float
    """Of the detection; of the surest one below the threshold for a missed object, 0 for none."""
    iou: float
    """With the object that it overlaps most."""


def mistakes(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    limits: NDArray[np.float32],
    iou: float = 0.5,
) -> list[Mistake]:
    """List every false detection and every object without a right one.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order, with those below the thresholds.
        limits: (classes,), the thresholds.
        iou: from which a detection is right.

    Returns:
        Picture after picture; in each the worst first.
    """
    kept = [one.above(limits) for one in detections]
    errors = error_breakdown(truths, kept, len(limits), iou)
    matches = errors.matches
    lost = np.ones(len(matches.objects), bool)
    lost[matches.found[0][matches.correct()]] = False
    first = np.cumsum([0, *map(len, truths)])
    found: list[Mistake] = []
    for index in np.flatnonzero((errors.kinds >= CLASS) & (errors.kinds <= BACKGROUND)).tolist():
        picture = int(matches.pictures[index])
        truth, box = truths[picture], matches.boxes[index]
        overlap = box_iou(box[None], truth.boxes)[0]
        best = int(overlap.argmax()) if len(overlap) and overlap.max() > 0 else None
        if errors.targets[index] >= 0:
            best = int(errors.targets[index] - first[picture])
        score = float(matches.scores[index])
        found.append(
            Mistake(
                picture=picture,
                kind=KINDS[errors.kinds[index]],
                badness=score,
                box=corners(box),
                said=int(matches.classes[index]),
                true=None if best is None else int(truth.classes[best]),
                confidence=score,
                iou=0.0 if best is None else float(overlap[best]),
            )
        )
    for place in np.flatnonzero(lost).tolist():
        picture = int(np.searchsorted(first, place, side="right")) - 1
        truth, seen, index = truths[picture], detections[picture], int(place - first[picture])
        below = seen.scores < limits[seen.classes]
        overlap = box_iou(seen.boxes, truth.boxes[index][None])[:, 0]
        near = below & (overlap >= iou) & (seen.classes == truth.classes[index])
        score = float(seen.scores[near].max(initial=0.0))
        found.append(
            Mistake(
                picture=picture,
                kind="missed",
                badness=1 - score,
                box=corners(truth.boxes[index]),
                said=None,
                true=int(truth.classes[index]),
                confidence=score,
                iou=float(overlap[near].max(initial=0.0)),
            )
        )
    return sorted(found, key=lambda one: (one.picture, -one.badness))


def worst_first(found: Sequence[Mistake]) -> list[tuple[int, list[Mistake]]]:
    """Gather mistakes by picture, the picture with the most badness first."""
    by_picture: dict[int, list[Mistake]] = {}
    for one in found:
        by_picture.setdefault(one.picture, []).append(one)
    return sorted(
        by_picture.items(), key=lambda item: (-sum(one.badness for one in item[1]), item[0])
    )


def corners(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Give a box as plain numbers."""
    x0, y0, x1, y1 = box.tolist()
    return x0, y0, x1, y1
