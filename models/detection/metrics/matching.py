"""Which detections are right: greedy matching, the surest first, at any number of IoUs at once.

Whether a detection is right depends only on surer ones. So one matching of detections that no
threshold has cut tells what every threshold would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.truth import Truth


@dataclass(frozen=True)
class Matches:
    """All detections of a split, the surest first, and which object each one found."""

    scores: NDArray[np.float32]
    """Shape (N,), falling."""
    classes: NDArray[np.int64]
    """Shape (N,), class index said by the detector."""
    pictures: NDArray[np.int64]
    """Shape (N,), index of the picture."""
    found: NDArray[np.int64]
    """Shape (ious, N): index of the object found, counted over all pictures; -1 is a false one."""
    overlap: NDArray[np.float32]
    """Shape (ious, N): IoU with the object found, 0 for a false one."""
    ious: tuple[float, ...]
    objects: NDArray[np.int64]
    """Class index of every object of the split, picture after picture."""

    def correct(self, iou: int = 0) -> NDArray[np.bool_]:
        """Say which detections are right at the IoU of this index."""
        right: NDArray[np.bool_] = self.found[iou] >= 0
        return right


def box_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """IoU of every pair of boxes.

    Args:
        one: (N, 4), xyxy.
        other: (M, 4), xyxy.

    Returns:
        (N, M), between 0 and 1.
    """
    left_top = np.maximum(one[:, None, :2], other[None, :, :2])
    right_bottom = np.minimum(one[:, None, 2:], other[None, :, 2:])
    inter = np.prod(np.clip(right_bottom - left_top, 0.0, None), axis=2)
    areas = [
        np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None), axis=1) for boxes in (one, other)
    ]
    union = areas[0][:, None] + areas[1][None, :] - inter
    result: NDArray[np.float32] = np.divide(
        inter, union, out=np.zeros(inter.shape, np.float32), where=union > 0.0
    )
    return result


def match(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    ious: Sequence[float],
    by_class: bool = True,
    max_detections: int | None = None,
) -> Matches:
    """Match a split.

    In each picture, from the surest detection on, each one takes the object it overlaps most among
    those not yet taken, if their IoU is at least the limit.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        ious: limits.
        by_class: a detection can only take an object of its own class.
        max_detections: detections that count in a picture, the surest first.
    """
    scores, classes, pictures, found, overlap = [], [], [], [], []
    first = 0
    for index, (truth, seen) in enumerate(zip(truths, detections, strict=True)):
        order = np.argsort(-seen.scores, kind="stable")[:max_detections]
        pairs = box_iou(seen.boxes[order], truth.boxes)
        if by_class:
            pairs = np.where(seen.classes[order][:, None] == truth.classes[None, :], pairs, 0.0)
        took, how = _greedy(pairs, ious)
        scores.append(seen.scores[order])
        classes.append(seen.classes[order])
        pictures.append(np.full(len(order), index))
        found.append(np.where(took >= 0, took + first, -1))
        overlap.append(how)
        first += len(truth)
    flat = np.concatenate(scores) if scores else np.zeros(0, np.float32)
    surest = np.argsort(-flat, kind="stable")
    return Matches(
        scores=flat[surest],
        classes=_joined(classes, np.int64)[surest],
        pictures=_joined(pictures, np.int64)[surest],
        found=np.concatenate(found, axis=1)[:, surest],
        overlap=np.concatenate(overlap, axis=1)[:, surest],
        ious=tuple(ious),
        objects=_joined([truth.classes for truth in truths], np.int64),
    )


def _greedy(
    pairs: NDArray[np.float32], ious: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    detections, objects = pairs.shape
    took = np.full((len(ious), detections), -1, np.int64)
    how = np.zeros((len(ious), detections), np.float32)
    if not objects:
        return took, how
    limits = np.maximum(np.asarray(ious, np.float32), np.float32(1e-9))  # no overlap is no match
    rows = np.arange(len(ious))
    free = np.ones((len(ious), objects), bool)
    # A detection that overlaps nothing enough for the lowest limit is false at all of them.
    for detection in np.flatnonzero(pairs.max(axis=1) >= limits.min()):
        open_pairs = np.where(free, pairs[detection], -1.0)
        best = open_pairs.argmax(axis=1)
        value = open_pairs[rows, best]
        hit = value >= limits
        took[hit, detection] = best[hit]
        how[hit, detection] = value[hit]
        free[rows[hit], best[hit]] = False
    return took, how


def _joined(parts: Sequence[NDArray[np.int64]], kind: type[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, kind)
