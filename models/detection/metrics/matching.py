"""Which detections are right: greedy matching, the surest first, at any number of IoUs at once.

Whether a detection is right depends only on surer ones. So one matching of detections that no
threshold has cut tells what every threshold would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.greedy import greedy
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
    boxes: NDArray[np.float32]
    """Shape (N, 4), xyxy, pixels of the detection's picture."""
    ignored: NDArray[np.bool_]
    """Shape (ious, N): neither right nor false, for they found no object but lie in a crowd."""

    def correct(self, iou: int = 0) -> NDArray[np.bool_]:
        """Say which detections are right at the IoU of this index."""
        right: NDArray[np.bool_] = self.found[iou] >= 0
        return right

    def at(self, iou: int) -> Matches:
        """Keep one IoU only, that of this index."""
        part = slice(iou, iou + 1)
        return replace(
            self,
            found=self.found[part],
            overlap=self.overlap[part],
            ious=self.ious[part],
            ignored=self.ignored[part],
        )

    def above(self, threshold: float | NDArray[np.float32]) -> NDArray[np.bool_]:
        """Say which detections are at least as sure as the threshold, or as their class's."""
        limits = np.asarray(threshold, np.float32)
        kept: NDArray[np.bool_] = self.scores >= (limits[self.classes] if limits.ndim else limits)
        return kept


def box_iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """IoU of every pair of boxes.

    Args:
        one: (N, 4), xyxy.
        other: (M, 4), xyxy.

    Returns:
        (N, M), between 0 and 1.
    """
    inter = _intersection(one, other)
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
    those not yet taken, if their IoU is at least the limit; of equal ones the first listed.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        ious: limits.
        by_class: a detection can only take an object of its own class.
        max_detections: detections that count in a picture, the surest first.
    """
    count = np.array([len(one) for one in detections], np.int64)
    pictures = np.repeat(np.arange(len(truths)), count)
    scores = _joined([one.scores for one in detections], np.zeros(0, np.float32))
    order = np.lexsort((-scores, pictures))
    if max_detections is not None:
        rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
        order = order[rank < max_detections]
        count = np.minimum(count, max_detections)
    scores, pictures = scores[order], pictures[order]
    classes = _joined([one.classes for one in detections], np.zeros(0, np.int64))[order]
    boxes = _joined([one.boxes for one in detections], np.zeros((0, 4), np.float32))[order]
    objects = _joined([one.classes for one in truths], np.zeros(0, np.int64))
    places = _joined([one.boxes for one in truths], np.zeros((0, 4), np.float32))
    sizes = np.array([len(one) for one in truths], np.int64)
    names = 1 + max(classes.max(initial=0), objects.max(initial=0)) if by_class else 0
    found, overlap = greedy(
        (boxes, pictures * names + classes if by_class else pictures),
        (places, _groups(sizes, names) + objects if by_class else _groups(sizes, 1)),
        (count, sizes),
        ious,
    )
    ignored = (found < 0) & _in_crowds(truths, (boxes, classes), count, ious, by_class)
    surest = np.argsort(-scores, kind="stable")
    return Matches(
        scores=scores[surest],
        classes=classes[surest],
        pictures=pictures[surest],
        found=found[:, surest],
        overlap=overlap[:, surest],
        ious=tuple(ious),
        objects=objects,
        boxes=boxes[surest],
        ignored=ignored[:, surest],
    )


def share_inside(boxes: NDArray[np.float32], regions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the share of each box (N, 4) that lies in each region (M, 4): (N, M), xyxy.

    It is what COCO holds against a crowd: an object in one is a small part of it.
    """
    areas = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-9)
    share: NDArray[np.float32] = _intersection(boxes, regions) / areas[:, None]
    return share


def _groups(sizes: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(sizes)) * step, sizes)


def _in_crowds(
    truths: Sequence[Truth],
    detections: tuple[NDArray[np.float32], NDArray[np.int64]],
    counts: NDArray[np.int64],
    ious: Sequence[float],
    by_class: bool,
) -> NDArray[np.bool_]:
    """Say which detections lie in a crowd: as COCO does, by the share of the detection in it."""
    boxes, classes = detections
    inside = np.zeros((len(ious), len(boxes)), bool)
    limits = np.asarray(ious, np.float32)[:, None]
    first = np.cumsum(counts) - counts
    for picture, truth in enumerate(truths):
        if not len(truth.crowd_boxes) or not counts[picture]:
            continue
        here = slice(first[picture], first[picture] + counts[picture])
        share = share_inside(boxes[here], truth.crowd_boxes)
        if by_class:
            share[classes[here][:, None] != truth.crowd_classes[None, :]] = 0.0
        inside[:, here] = share.max(axis=1) >= limits
    return inside


def _intersection(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    left_top = np.maximum(one[:, None, :2], other[None, :, :2])
    right_bottom = np.minimum(one[:, None, 2:], other[None, :, 2:])
    area: NDArray[np.float32] = np.prod(np.clip(right_bottom - left_top, 0.0, None), axis=2)
    return area


def _joined(parts: Sequence[NDArray[Any]], nothing: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(parts).astype(nothing.dtype, copy=False) if parts else nothing
