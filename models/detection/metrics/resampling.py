"""COCO's mAP of any selection of pictures, after one matching.

COCO matches each picture by itself, so what a detection found doesn't change when pictures are left
out or counted several times: only the sums do. Along falling scores precision rises only where a
detection is right, so the interpolated curve (Everingham et al., 2010) follows from those places
alone, and a selection costs about a millisecond in place of an evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.matching import match
from models.detection.metrics.truth import Truth

IOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())
_RECALLS = np.linspace(0.0, 1.0, 101)
_LEAST = np.spacing(1)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Limit:
    """One class at one IoU."""

    right: Ints
    """Places of right detections among the class's, rising."""
    ignored: Ints
    """Places of those that count neither way."""


@dataclass(frozen=True)
class _Class:
    objects: Ints
    """Shape (pictures,): how many of the class each has."""
    pictures: Ints
    """Of each detection, the surest first."""
    limits: Sequence[_Limit]


class PictureRecords:
    """What was found in each picture, from which mAP follows for any selection of them."""

    def __init__(
        self,
        truths: Sequence[Truth],
        detections: Sequence[Detections],
        classes: int,
        max_detections: int = 100,
    ) -> None:
        """Match.

        Args:
            truths: one for each picture.
            detections: one for each picture, in the same order, that no threshold has cut.
            classes: number of classes.
            max_detections: detections of a class that count in a picture, the surest first.
        """
        self._count = len(truths)
        kept = [_surest(one, max_detections) for one in detections]
        matches = match(truths, kept, IOUS)
        pictures = np.repeat(np.arange(len(truths)), [len(one) for one in truths])
        self._classes = []
        for label in range(classes):
            here = np.flatnonzero(matches.classes == label)
            self._classes.append(
                _Class(
                    np.bincount(pictures[matches.objects == label], minlength=len(truths)),
                    matches.pictures[here],
                    [
                        _Limit(np.flatnonzero(found[here] >= 0), np.flatnonzero(ignored[here]))
                        for found, ignored in zip(matches.found, matches.ignored, strict=True)
                    ],
                )
            )

    def figure(self, counts: Ints | None = None) -> float:
        """Compute mAP.

        Args:
            counts: shape (pictures,), how often each picture counts; each once unless given.

        Returns:
            mAP at IoU 0.5 to 0.95, as `coco_figures` computes it for these pictures; nan with no
            object on any of them.
        """
        counts = np.ones(self._count, np.int64) if counts is None else counts
        known = [found for one in self._classes if (found := _precision(one, counts)) is not None]
        return float(np.mean(known)) if known else float("nan")


def _precision(one: _Class, counts: Ints) -> float | None:
    """AP of a class over all IoUs; None if none of its objects is on these pictures."""
    objects = int(one.objects @ counts)
    if not objects:
        return None
    weights = counts[one.pictures]
    seen = np.cumsum(weights)
    total = 0.0
    for limit in one.limits:
        if not len(limit.right):
            continue
        right = np.cumsum(weights[limit.right])
        judged = seen[limit.right]
        if len(limit.ignored):
            passed = np.concatenate([[0], np.cumsum(weights[limit.ignored])])
            judged = judged - passed[np.searchsorted(limit.ignored, limit.right)]
        precision = right / (judged + _LEAST)
        # At a recall counts the best precision there or at any higher recall.
        best = np.maximum.accumulate(precision[::-1])[::-1]
        place = np.searchsorted(right / objects, _RECALLS, side="left")
        total += float(best[place[place < len(best)]].sum())
    return total / (len(one.limits) * len(_RECALLS))


def _surest(one: Detections, most: int) -> Detections:
    """Keep the surest detections of each class."""
    if len(one) <= most:
        return one
    order = np.argsort(-one.scores, kind="stable")
    classes = one.classes[order]
    by_class = np.argsort(classes, kind="stable")
    first = np.searchsorted(classes[by_class], classes[by_class], side="left")
    rank = np.arange(len(order)) - first
    kept = np.sort(order[by_class[rank < most]])
    return Detections(one.boxes[kept], one.scores[kept], one.classes[kept])
