"""Labels that are likely wrong, ranked by how sure the model is of something else.

In the manner of ObjectLab (Tkachenko, Thyagarajan and Mueller, 2023, arXiv:2309.00832): overlooked,
swapped and badly located boxes, each with a quality between 0 (surely wrong) and 1; besides, labels
where the model sees nothing at all. A model trained on the very labels has learned some of their
errors: what it is unsure of on train says less than on val.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.matching import box_iou, share_inside
from models.detection.metrics.truth import Truth

Bools = NDArray[np.bool_]

SUSPICIONS = ("missing", "needless", "wrong class", "badly placed")
"""`missing`: an object without a label; `needless`: a label where nothing is seen; `wrong class`:
the object is of another class; `badly placed`: the box doesn't fit the object."""
_NEAR = 0.1
"""IoU from which a box has something to do with another, as in TIDE's breakdown."""
_SAME = 0.5
"""IoU from which two boxes show one object."""

SecondLook = Callable[[Sequence[int]], Sequence[Detections]]
"""Detects anew in the pictures of these indices, in another way."""


@dataclass(frozen=True)
class Suspect:
    """A label that is likely wrong, or that is likely missing."""

    picture: int
    kind: str
    """One of `SUSPICIONS`."""
    quality: float
    """Of the label, from 0 to 1; low is bad."""
    label: int | None
    """Index of the label in its picture; None for a missing one."""
    box: tuple[float, float, float, float] | None
    """Suggested, xyxy; None for a needless label."""
    class_index: int | None
    """Suggested; None for a needless label."""
    confidence: float
    """Of the suggestion; the most that was seen at a needless label."""


def suspect_labels(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    limits: NDArray[np.float32],
    placed: float = 0.6,
    quality: float = 0.5,
    second_look: SecondLook | None = None,
) -> list[Suspect]:
    """Find the labels that are likely wrong.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order, with those well below the thresholds.
        limits: (classes,), from which confidence on a detection is believed.
        placed: a label whose IoU with the believed box is less is badly placed.
        quality: the most that is listed.
        second_look: asked about pictures where labels seem to be missing.

    Returns:
        The likeliest first.
    """
    custom = _Custom.of(truths, [one.above(limits) for one in detections], len(limits))
    found: list[Suspect] = []
    for picture, (truth, seen) in enumerate(zip(truths, detections, strict=True)):
        found += _suspects(picture, truth, seen, limits, placed, custom)
    if second_look is not None:
        found = _looked_at_again(found, second_look)
    listed = [one for one in found if one.quality <= quality]
    return sorted(listed, key=lambda one: (one.quality, one.picture, one.label is None, one.label))


@dataclass(frozen=True)
class _Custom:
    """What is usual in this split: an oddity says more where the model seldom errs."""

    labels: tuple[int, ...]
    """By class."""
    seen: tuple[int, ...]
    """By class, labels that some believed detection has to do with."""
    overlaps: tuple[NDArray[np.float32], ...]
    """By class, rising: the IoU of each label seen with the best believed one of its class."""

    @classmethod
    def of(cls, truths: Sequence[Truth], believed: Sequence[Detections], classes: int) -> _Custom:
        labels, seen = [0] * classes, [0] * classes
        overlaps: list[list[float]] = [[] for _ in range(classes)]
        for truth, sure in zip(truths, believed, strict=True):
            pairs = box_iou(sure.boxes, truth.boxes)
            own = np.where(sure.classes[:, None] == truth.classes[None, :], pairs, 0.0)
            for label, near, best in zip(
                truth.classes.tolist(),
                (pairs.max(axis=0, initial=0.0) >= _NEAR).tolist(),
                own.max(axis=0, initial=0.0).tolist(),
                strict=True,
            ):
                labels[label] += 1
                seen[label] += near
                if best >= _NEAR:
                    overlaps[label].append(best)
        sorted_ones = tuple(np.sort(np.array(some, np.float32)) for some in overlaps)
        return cls(tuple(labels), tuple(seen), sorted_ones)

    def recall(self, label: int) -> float:
        """Give the share of the other labels of a class that are seen; 1 where there is none."""
        return (self.seen[label] + 1) / max(self.labels[label], 1)

    def better(self, label: int, overlap: float) -> float:
        """Give the share of the other labels seen of a class that fit better than this one."""
        some = self.overlaps[label]
        greater = len(some) - int(np.searchsorted(some, np.float32(overlap), side="right"))
        return (greater + 1) / max(len(some), 1)


def _suspects(
    picture: int,
    truth: Truth,
    seen: Detections,
    limits: NDArray[np.float32],
    placed: float,
    custom: _Custom,
) -> list[Suspect]:
    believed = seen.above(limits)
    overlap = box_iou(believed.boxes, truth.boxes)
    lonely = overlap.max(axis=1, initial=0.0) < _NEAR
    # One of a crowd, which is far larger: the IoU of the two says nothing.
    lonely &= share_inside(believed.boxes, truth.crowd_boxes).max(axis=1, initial=0.0) < _SAME
    alone = Detections(believed.boxes[lonely], believed.scores[lonely], believed.classes[lonely])
    found = [
        Suspect(picture, "missing", 1 - score, None, box, label, score)
        for box, label, score in _first_of_each(alone)
    ]
    everything = box_iou(seen.boxes, truth.boxes)
    for index in range(len(truth)):
        one = _judge(index, truth, (believed, overlap), (seen, everything), limits, placed, custom)
        if one is not None:
            found.append(replace(one, picture=picture))
    return found


def _judge(
    index: int,
    truth: Truth,
    believed: tuple[Detections, NDArray[np.float32]],
    seen: tuple[Detections, NDArray[np.float32]],
    limits: NDArray[np.float32],
    placed: float,
    custom: _Custom,
) -> Suspect | None:
    """Judge one label by what is believed, and by what is seen at all."""
    label = int(truth.classes[index])
    sure, fits = believed[0], believed[1][:, index]
    if not (fits >= _NEAR).any():
        # How much the model sees there, for the confidence that it would take to believe it.
        support = float((seen[0].scores * seen[1][:, index]).max(initial=0.0))
        unseen = 1 - min(1.0, support / max(float(limits[label]), 1e-9))
        quality = 1 - unseen * custom.recall(label)
        return Suspect(0, "needless", quality, index, None, None, support)
    own = sure.classes == label
    same = np.where(seen[0].classes == label, seen[1][:, index], 0.0)
    held = float(seen[0].scores[same >= _SAME].max(initial=0.0))
    others = np.flatnonzero(~own & (fits >= _SAME) & _unclaimed(index, sure, believed[1], truth))
    if len(others):
        best = others[sure.scores[others].argmax()]
        quality = 1 - max(0.0, float(sure.scores[best]) - held)
        return _suggest("wrong class", quality, index, sure, int(best))
    mine = np.flatnonzero(own & (believed[1].argmax(axis=1) == index) & (fits >= _NEAR))
    if len(mine) and fits[mine].max() < placed:
        best = mine[(sure.scores[mine] * fits[mine]).argmax()]
        quality = 1 - float(sure.scores[best]) * custom.better(label, float(fits[best]))
        return _suggest("badly placed", quality, index, sure, int(best))
    return None


def _unclaimed(index: int, sure: Detections, overlap: NDArray[np.float32], truth: Truth) -> Bools:
    """Say which detections don't belong to another label, of their own class, at least as well."""
    rest = np.where(truth.classes[None, :] == sure.classes[:, None], overlap, 0.0)
    rest[:, index] = 0.0
    result: Bools = rest.max(axis=1, initial=0.0) < np.maximum(overlap[:, index], _SAME)
    return result


def _suggest(kind: str, quality: float, label: int, sure: Detections, best: int) -> Suspect:
    x0, y0, x1, y1 = sure.boxes[best].tolist()
    return Suspect(
        picture=0,
        kind=kind,
        quality=quality,
        label=label,
        box=(x0, y0, x1, y1),
        class_index=int(sure.classes[best]),
        confidence=float(sure.scores[best]),
    )


def _first_of_each(
    found: Detections,
) -> list[tuple[tuple[float, float, float, float], int, float]]:
    """Of detections that show one object, whatever they call it, give the surest."""
    kept: list[int] = []
    overlap = box_iou(found.boxes, found.boxes)
    for index in np.argsort(-found.scores, kind="stable").tolist():
        if not (overlap[index, kept] >= _SAME).any():
            kept.append(index)
    rows = []
    for index in kept:
        x0, y0, x1, y1 = found.boxes[index].tolist()
        rows.append(((x0, y0, x1, y1), int(found.classes[index]), float(found.scores[index])))
    return rows


def _looked_at_again(found: Sequence[Suspect], look: SecondLook) -> list[Suspect]:
    pictures = sorted({one.picture for one in found if one.kind == "missing"})
    again = dict(zip(pictures, look(pictures), strict=True))
    judged = []
    for one in found:
        if one.kind == "missing" and one.box is not None:
            seen = again[one.picture]
            fits = box_iou(seen.boxes, np.array([one.box], np.float32))[:, 0] >= _SAME
            score = float(seen.scores[fits & (seen.classes == one.class_index)].max(initial=0.0))
            mean = (one.confidence + score) / 2
            one = replace(one, confidence=mean, quality=1 - mean)
        judged.append(one)
    return judged
