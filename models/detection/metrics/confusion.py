"""Which class is taken for which, background included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.matching import Matches, match
from models.detection.metrics.truth import Truth


def confusion_matrix(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: int,
    threshold: float | NDArray[np.float32],
    iou: float,
) -> NDArray[np.int64]:
    """Count true class against said class.

    Boxes are matched regardless of class, those of the right class first.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        classes: number of classes.
        threshold: detections of at least this confidence count; one for all, or one by class.
        iou: from which a box counts as found.

    Returns:
        (classes + 1, classes + 1): rows are true classes, columns said ones; the last row is
        background taken for an object, the last column objects that were missed.
    """
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    right = match(truths, [one.above(threshold) for one in detections], [iou])
    found = right.found[0]
    np.add.at(matrix, (right.classes[found >= 0], right.classes[found >= 0]), 1)
    missed = np.ones(len(right.objects), bool)
    missed[found[found >= 0]] = False
    rest = _without(truths, missed)
    wrong = match(rest, _false(right, len(truths)), [iou], by_class=False)
    said, objects = wrong.found[0], wrong.objects
    mixed = said >= 0
    np.add.at(matrix, (objects[said[mixed]], wrong.classes[mixed]), 1)
    np.add.at(matrix, (classes, wrong.classes[~mixed & ~wrong.ignored[0]]), 1)
    never = np.setdiff1d(np.arange(len(objects)), said[mixed])
    np.add.at(matrix, (objects[never], classes), 1)
    return matrix


def _without(truths: Sequence[Truth], stays: NDArray[np.bool_]) -> list[Truth]:
    parts = np.split(stays, np.cumsum([len(truth) for truth in truths])[:-1])
    return [
        Truth(one.boxes[part], one.classes[part], one.crowd_boxes, one.crowd_classes)
        for one, part in zip(truths, parts, strict=bool(truths))
    ]


def _false(matches: Matches, pictures: int) -> list[Detections]:
    """The false detections of each picture."""
    false = np.flatnonzero((matches.found[0] < 0) & ~matches.ignored[0])
    false = false[np.argsort(matches.pictures[false], kind="stable")]
    bounds = np.searchsorted(matches.pictures[false], np.arange(1, pictures))
    return [
        Detections(matches.boxes[part], matches.scores[part], matches.classes[part])
        for part in np.split(false, bounds)[:pictures]
    ]
