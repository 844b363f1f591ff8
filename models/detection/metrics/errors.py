"""What kind of mistake costs how much: an error breakdown after TIDE.

Follows Bolya et al., 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors"
(arXiv:2008.08115): each false detection and each object that wasn't found is of one kind, and the
cost of a kind is what AP would gain if an oracle mended just that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.matching import Matches, box_iou, match
from models.detection.metrics.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

KINDS = ("class", "localisation", "both", "duplicate", "background", "missed")
"""`class`: the right place under a wrong name; `localisation`: the right name, badly placed;
`both`: badly placed under a wrong name; `duplicate`: of an object that a surer one has found;
`background`: nothing is there; `missed`: an object that no detection came near."""
CLASS, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(6)
RIGHT, IGNORED = -1, -2


@dataclass(frozen=True)
class ErrorBreakdown:
    """The mistakes of a split by kind."""

    ap: float
    """Mean AP over the classes that occur, at the IoU of a right detection; nan with no object."""
    counts: dict[str, int]
    """By kind."""
    costs: dict[str, float]
    """By kind, what AP would gain without; `false` for all false detections taken away, `misses`
    for all objects found or not asked for. nan with no object."""
    matches: Matches
    """At the IoU of a right detection, of the right class."""
    kinds: Ints
    """Shape (N,), of each detection of `matches`: index into `KINDS`, `RIGHT` or `IGNORED`."""
    targets: Ints
    """Shape (N,): the object that a detection of kind class or localisation was meant for, or the
    one that it found; -1 for none. Counted over all pictures."""
    missed: Bools
    """Shape (objects,): those of kind missed."""


def error_breakdown(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: int,
    right: float = 0.5,
    background: float = 0.1,
    max_detections: int | None = None,
) -> ErrorBreakdown:
    """Tell the kind of each mistake, and what each kind costs.

    Where several kinds fit, the first of localisation, class, duplicate, background, both holds,
    as in the authors' own tool.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order, cut by no threshold.
        classes: number of classes.
        right: IoU from which a detection is right.
        background: IoU under which it has nothing to do with an object.
        max_detections: detections that count in a picture, the surest first.
    """
    matches = match(truths, detections, [right], max_detections=max_detections)
    return errors_of(matches, truths, classes, background)


def errors_of(
    matches: Matches, truths: Sequence[Truth], classes: int, background: float = 0.1
) -> ErrorBreakdown:
    """Do the same from detections that were matched already, by class and at one IoU."""
    (right,) = matches.ious
    found = matches.found[0]
    kinds = np.where(matches.ignored[0], IGNORED, np.where(found >= 0, RIGHT, BACKGROUND))
    targets = found.copy()
    taken = np.zeros(len(matches.objects), bool)
    taken[found[found >= 0]] = True
    first = np.cumsum([0, *map(len, truths)])
    wrong = np.flatnonzero(kinds == BACKGROUND)
    wrong = wrong[np.argsort(matches.pictures[wrong], kind="stable")]
    bounds = np.searchsorted(matches.pictures[wrong], np.arange(len(truths) + 1))
    for picture in np.unique(matches.pictures[wrong]):
        truth = truths[picture]
        if not len(truth):
            continue
        here = wrong[bounds[picture] : bounds[picture + 1]]
        kind, target = _kinds(
            box_iou(matches.boxes[here], truth.boxes),
            matches.classes[here][:, None] == truth.classes[None, :],
            taken[first[picture] : first[picture + 1]],
            (right, background),
        )
        kinds[here] = kind
        targets[here] = np.where(target >= 0, target + first[picture], -1)
    covered = taken.copy()
    mended = np.isin(kinds, (CLASS, LOCALISATION))
    covered[targets[mended]] = True
    missed = ~covered
    counts = {name: int((kinds == kind).sum()) for kind, name in enumerate(KINDS)}
    counts["missed"] = int(missed.sum())
    ap, costs = _costs(matches, kinds, targets, missed, classes)
    return ErrorBreakdown(ap, counts, costs, matches, kinds, targets, missed)


def _kinds(
    overlap: NDArray[np.float32], same: Bools, taken: Bools, limits: tuple[float, float]
) -> tuple[Ints, Ints]:
    """Kinds and targets of the false detections of one picture that has objects.

    Args:
        overlap: (N, M), IoU with each object.
        same: (N, M), whether classes agree.
        taken: (M,), objects that were found.
        limits: IoU of a right detection, and of one that isn't background.
    """
    right, background = limits
    own, other = np.where(same, overlap, -1.0), np.where(same, -1.0, overlap)
    badly = (own.max(axis=1) >= background) & (own.max(axis=1) < right)
    misnamed = other.max(axis=1) >= right
    double = np.where(taken[None, :], own, -1.0).max(axis=1) >= right
    nothing = overlap.max(axis=1) < background
    cases = [badly, misnamed, double, nothing]
    kinds = np.select(cases, [LOCALISATION, CLASS, DUPLICATE, BACKGROUND], BOTH)
    targets = np.select([badly, misnamed], [own.argmax(axis=1), other.argmax(axis=1)], -1)
    return kinds.astype(np.int64), targets.astype(np.int64)


def _costs(
    matches: Matches, kinds: Ints, targets: Ints, missed: Bools, classes: int
) -> tuple[float, dict[str, float]]:
    counted = kinds != IGNORED
    right = kinds == RIGHT
    taken = np.isin(np.arange(len(matches.objects)), matches.found[0])
    objects = np.bincount(matches.objects, minlength=classes)
    occurs = np.flatnonzero(objects)
    base = mean_ap(matches.classes, right, objects[occurs], occurs, counted)

    def gain(
        right: Bools = right,
        kept: Bools = counted,
        labels: Ints = matches.classes,
        objects: Ints = objects,
    ) -> float:
        return mean_ap(labels, right, objects[occurs], occurs, kept) - base

    costs = {}
    for kind in (CLASS, LOCALISATION):
        mended = np.flatnonzero(kinds == kind)
        # One that would double what is found already, or a surer mended one, is taken away.
        _, surest = np.unique(targets[mended], return_index=True)
        first = mended[surest]
        first = first[~taken[targets[first]]]
        now_right, kept, labels = right.copy(), counted.copy(), matches.classes.copy()
        kept[mended] = False
        kept[first] = now_right[first] = True
        labels[first] = matches.objects[targets[first]]
        costs[KINDS[kind]] = gain(now_right, kept, labels)
    for kind in (BOTH, DUPLICATE, BACKGROUND):
        costs[KINDS[kind]] = gain(kept=counted & (kinds != kind))
    asked = objects - np.bincount(matches.objects[missed], minlength=classes)
    costs["missed"] = gain(objects=asked)
    costs["false"] = gain(kept=counted & right)
    found = np.bincount(matches.objects[matches.found[0][right]], minlength=classes)
    costs["misses"] = gain(objects=found)
    return base, costs


def mean_ap(labels: Ints, right: Bools, asked: Ints, occurs: Ints, kept: Bools) -> float:
    """Compute the mean of COCO's interpolated AP over some classes.

    Args:
        labels: (N,), class indices of detections, the surest first.
        right: (N,), which detections are right.
        asked: (K,), number of objects of each class that should be found; a class of which none
            should has an AP of 1.
        occurs: (K,), class indices.
        kept: (N,), which detections count at all.

    Returns:
        nan with no class.
    """
    found = []
    for label, objects in zip(occurs, asked, strict=True):
        if not objects:
            found.append(1.0)
            continue
        hits = right[kept & (labels == label)]
        correct = np.cumsum(hits)
        recall = correct / objects
        precision = correct / np.arange(1, len(hits) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or a greater one
        at = np.searchsorted(recall, np.linspace(0.0, 1.0, 101), side="left")
        found.append(float(np.append(best, 0.0)[np.minimum(at, len(best))].mean()))
    return float(np.mean(found)) if found else float("nan")
