"""Which class is taken for which, background included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.matching import match
from models.detection.metrics.truth import Truth


def confusion_matrix(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: int,
    threshold: float,
    iou: float,
) -> NDArray[np.int64]:
    """Count true class against said class.

    Boxes are matched regardless of class, those of the right class first.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        classes: number of classes.
        threshold: detections of at least this confidence count.
        iou: from which a box counts as found.

    Returns:
        (classes + 1, classes + 1): rows are true classes, columns said ones; the last row is
        background taken for an object, the last column objects that were missed.
    """
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    for truth, seen in zip(truths, detections, strict=True):
        kept = seen.above(threshold)
        right = match([truth], [kept], [iou])
        found = np.flatnonzero(right.found[0] >= 0)
        np.add.at(matrix, (right.classes[found], right.classes[found]), 1)
        order = np.argsort(-kept.scores, kind="stable")
        left = np.setdiff1d(np.arange(len(kept)), order[found])
        open_objects = np.setdiff1d(np.arange(len(truth)), right.found[0][found])
        rest = Truth(truth.boxes[open_objects], truth.classes[open_objects])
        wrong = match(
            [rest],
            [Detections(kept.boxes[left], kept.scores[left], kept.classes[left])],
            [iou],
            by_class=False,
        )
        mixed = wrong.found[0] >= 0
        np.add.at(matrix, (rest.classes[wrong.found[0][mixed]], wrong.classes[mixed]), 1)
        np.add.at(matrix, (classes, wrong.classes[~mixed]), 1)
        missed = np.setdiff1d(np.arange(len(rest)), wrong.found[0][mixed])
        np.add.at(matrix, (rest.classes[missed], classes), 1)
    return matrix
