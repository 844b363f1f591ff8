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
from models.detection.metrics.greedy import best_of_each, overlapping
from models.detection.metrics.matching import Matches, match
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
_TOUCH = 1e-9
"""IoU of boxes that overlap at all."""


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
    wrong = np.flatnonzero(kinds == BACKGROUND)
    wrong = wrong[np.argsort(matches.pictures[wrong], kind="stable")]
    counts = (
        np.bincount(matches.pictures[wrong], minlength=len(truths)),
        np.array([len(truth) for truth in truths], np.int64),
    )
    places = np.concatenate([truth.boxes for truth in truths] or [np.zeros((0, 4), np.float32)])
    kinds[wrong], targets[wrong] = _kinds(
        (matches.boxes[wrong], matches.classes[wrong]),
        (places, matches.objects, taken),
        counts,
        (right, background),
    )
    covered = taken.copy()
    mended = np.isin(kinds, (CLASS, LOCALISATION))
    covered[targets[mended]] = True
    missed = ~covered
    occurs = {name: int((kinds == kind).sum()) for kind, name in enumerate(KINDS)}
    occurs["missed"] = int(missed.sum())
    ap, costs = _costs(matches, kinds, targets, missed, classes)
    return ErrorBreakdown(ap, occurs, costs, matches, kinds, targets, missed)


def _kinds(
    detections: tuple[NDArray[np.float32], Ints],
    objects: tuple[NDArray[np.float32], Ints, Bools],
    counts: tuple[Ints, Ints],
    limits: tuple[float, float],
) -> tuple[Ints, Ints]:
    """Tell the kinds and targets of false detections.

    Args:
        detections: boxes and classes, picture after picture.
        objects: boxes, classes and whether they were found, picture after picture.
        counts: detections and objects of each picture.
        limits: IoU of a right detection, and of one that isn't background.
    """
    right, background = limits
    kinds = np.full(len(detections[0]), BACKGROUND)
    targets = np.full(len(kinds), -1)
    for one, other, overlap in overlapping(detections[0], objects[0], counts, _TOUCH):
        heads = np.flatnonzero(np.diff(one, prepend=-1))
        if not len(heads):
            continue
        same = detections[1][one] == objects[1][other]
        own, mine = best_of_each(np.where(same, overlap, np.float32(0)), heads)
        foreign, theirs = best_of_each(np.where(same, np.float32(0), overlap), heads)
        double, _ = best_of_each(np.where(same & objects[2][other], overlap, np.float32(0)), heads)
        badly = (own >= background) & (own < right)
        misnamed = foreign >= right
        nothing = np.maximum(own, foreign) < background
        cases = [badly, misnamed, double >= right, nothing]
        which = one[heads]
        kinds[which] = np.select(cases, [LOCALISATION, CLASS, DUPLICATE, BACKGROUND], BOTH)
        targets[which] = np.select([badly, misnamed], [other[mine], other[theirs]], -1)
    return kinds, targets


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
