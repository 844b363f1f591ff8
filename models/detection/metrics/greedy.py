"""Greedy matching of a whole split at once, without a loop over pictures or boxes.

In the n-th round the n-th detection of every picture takes its object. Detections that overlap no
object enough take part in no round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_PAIRS = 2_000_000
"""Pairs of a detection and an object held at once at most, unless one picture has more."""


def greedy(
    detections: tuple[Floats, Ints],
    objects: tuple[Floats, Ints],
    counts: tuple[Ints, Ints],
    ious: Sequence[float],
) -> tuple[Ints, Floats]:
    """Match.

    Args:
        detections: boxes (N, 4), xyxy, and groups (N,), picture after picture, in each the surest
            first. A detection can only take an object of its own group.
        objects: boxes (M, 4) and groups (M,), picture after picture.
        counts: detections and objects of each picture.
        ious: limits.

    Returns:
        Shape (ious, N): the object that each detection took, -1 for none; and their IoU, else 0.
    """
    took = np.full((len(ious), len(detections[0])), -1, np.int64)
    how = np.zeros((len(ious), len(detections[0])), np.float32)
    # No overlap is no match.
    limits = np.maximum(np.asarray(ious, np.float32), np.float32(1e-9))
    if len(took):
        least = float(limits.min())
        groups = (detections[1], objects[1])
        for pairs in overlapping(detections[0], objects[0], counts, least, groups):
            _rounds(took, how, pairs, detections[1], limits)
    return took, how


def overlapping(
    detections: Floats,
    objects: Floats,
    counts: tuple[Ints, Ints],
    least: float,
    groups: tuple[Ints, Ints] | None = None,
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Give the pairs that overlap, some pictures at a time.

    Args:
        detections: boxes (N, 4), xyxy, picture after picture.
        objects: boxes (M, 4), likewise.
        counts: detections and objects of each picture.
        least: smallest IoU of a pair, above 0.
        groups: of detections and of objects; only pairs of one group are given.

    Yields:
        Detection, object and IoU of each pair, by detection and then by object.
    """
    firsts = [np.cumsum(np.concatenate([[0], count])) for count in counts]
    pairs = np.cumsum(np.concatenate([[0], counts[0] * counts[1]]))
    start = 0
    while start < len(counts[0]):
        end = int(np.searchsorted(pairs, pairs[start] + _PAIRS, side="right")) - 1
        end = max(end, start + 1)
        here = slice(start, end)
        of_detection = np.repeat(counts[1][here], counts[0][here])
        detection = np.repeat(np.arange(firsts[0][start], firsts[0][end]), of_detection)
        before = np.repeat(np.cumsum(of_detection) - of_detection, of_detection)
        first = np.repeat(np.repeat(firsts[1][:-1][here], counts[0][here]), of_detection)
        found = first + np.arange(len(detection)) - before
        if groups is not None:
            alike = groups[0][detection] == groups[1][found]
            detection, found = detection[alike], found[alike]
        overlap = _iou(detections[detection], objects[found])
        enough = overlap >= np.float32(least)
        yield detection[enough], found[enough], overlap[enough]
        start = end


def best_of_each(values: Floats, heads: Ints) -> tuple[Floats, Ints]:
    """Give the greatest of each run of values, and the place of the first that is as great.

    Args:
        values: (..., N).
        heads: where runs begin; rising, the first is 0.
    """
    best = np.maximum.reduceat(values, heads, axis=-1)
    count = values.shape[-1]
    spread = np.repeat(best, np.diff(heads, append=count), axis=-1)
    position = np.where(values == spread, np.arange(count), count)
    return best, np.minimum.reduceat(position, heads, axis=-1)


def _iou(one: Floats, other: Floats) -> Floats:
    wide, tall = (
        np.clip(
            np.minimum(one[:, axis + 2], other[:, axis + 2])
            - np.maximum(one[:, axis], other[:, axis]),
            0.0,
            None,
        )
        for axis in (0, 1)
    )
    inter = wide * tall
    areas = [
        np.clip(boxes[:, 2] - boxes[:, 0], 0.0, None)
        * np.clip(boxes[:, 3] - boxes[:, 1], 0.0, None)
        for boxes in (one, other)
    ]
    union = areas[0] + areas[1] - inter
    result: Floats = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0.0)
    return result


def _rounds(
    took: Ints,
    how: Floats,
    pairs: tuple[Ints, Ints, Floats],
    groups: Ints,
    limits: Floats,
) -> None:
    """Let the detections of some pictures take their objects; `took` and `how` are filled in."""
    detection, found, overlap = pairs
    if not len(detection):
        return
    once, which = np.unique(detection, return_inverse=True)
    turn = _count_before(groups[once])[which]
    order = np.argsort(turn, kind="stable")
    detection, found, overlap = detection[order], found[order], overlap[order]
    lowest = found.min()
    free = np.ones((len(limits), found.max() - lowest + 1), bool)
    ends = np.cumsum(np.bincount(turn))
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        one, candidate = detection[start:end], found[start:end]
        value = np.where(free[:, candidate - lowest], overlap[start:end], np.float32(-1.0))
        heads = np.flatnonzero(np.diff(one, prepend=-1))
        best, place = best_of_each(value, heads)
        chosen = candidate[place]
        rows, columns = np.nonzero(best >= limits[:, None])
        took[rows, one[heads][columns]] = chosen[rows, columns]
        how[rows, one[heads][columns]] = best[rows, columns]
        free[rows, chosen[rows, columns] - lowest] = False


def _count_before(groups: Ints) -> Ints:
    """Count, for each entry, the earlier ones of its group."""
    order = np.argsort(groups, kind="stable")
    heads = np.flatnonzero(np.diff(groups[order], prepend=groups.min() - 1))
    sizes = np.diff(heads, append=len(groups))
    counts = np.empty(len(groups), np.int64)
    counts[order] = np.arange(len(groups)) - np.repeat(heads, sizes)
    return counts
