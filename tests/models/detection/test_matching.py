from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from models.detection.detections import Detections
from models.detection.metrics.confusion import confusion_matrix
from models.detection.metrics.matching import box_iou, match
from models.detection.metrics.truth import Truth


def truth(boxes: ArrayLike, classes: ArrayLike) -> Truth:
    return Truth(np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(classes, np.int64))


def seen(boxes: ArrayLike, scores: ArrayLike, classes: ArrayLike) -> Detections:
    return Detections(
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.asarray(scores, np.float32),
        np.asarray(classes, np.int64),
    )


A, B = [0, 0, 10, 10], [20, 0, 30, 10]
HALF = [0, 0, 10, 5]  # IoU 0.5 with A
NEAR = [0, 0, 10, 8]  # IoU 0.8 with A
FAR = [50, 50, 60, 60]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (A, A, 1.0),
        (A, HALF, 0.5),
        (A, B, 0.0),
        (A, [10, 0, 20, 10], 0.0),
        (A, [5, 5, 15, 15], 25 / 175),
        ([3, 3, 3, 3], [3, 3, 3, 3], 0.0),
    ],
)
def test_iou(one: list[int], other: list[int], expected: float) -> None:
    pair = box_iou(np.array([one], np.float32), np.array([other], np.float32))
    assert pair.item() == pytest.approx(expected)
    empty = np.zeros((0, 4), np.float32)
    assert box_iou(empty, np.array([one], np.float32)).shape == (0, 1)


@pytest.mark.parametrize(
    ("objects", "found", "by_class", "expected"),
    [
        # An object is found once; the second box on it is false.
        (truth([A], [0]), seen([A, NEAR], [0.9, 0.8], [0, 0]), True, [0, -1]),
        # The surest comes first, even where a less sure one fits better.
        (truth([A], [0]), seen([A, NEAR], [0.8, 0.9], [0, 0]), True, [0, -1]),
        # The limit itself is enough.
        (truth([A], [0]), seen([HALF], [0.5], [0]), True, [0]),
        # Another class.
        (truth([A], [0]), seen([A], [0.5], [1]), True, [-1]),
        (truth([A], [0]), seen([A], [0.5], [1]), False, [0]),
        (truth([A, B], [0, 1]), seen([B, FAR, A], [0.9, 0.8, 0.7], [1, 0, 0]), True, [1, -1, 0]),
        (truth([], []), seen([A], [0.5], [0]), True, [-1]),
        (truth([A], [0]), seen([], [], []), True, []),
    ],
)
def test_what_is_found(
    objects: Truth, found: Detections, by_class: bool, expected: list[int]
) -> None:
    matches = match([objects], [found], [0.5], by_class)
    assert matches.found[0].tolist() == expected
    assert np.all(np.diff(matches.scores) <= 0)
    assert ((matches.overlap[0] > 0) == (matches.found[0] >= 0)).all()


def test_each_iou_matches_for_itself() -> None:
    # At 0.75 only the second box fits, at 0.5 the first one takes the object.
    matches = match([truth([A], [0])], [seen([HALF, NEAR], [0.9, 0.8], [0, 0])], [0.5, 0.75, 0.95])
    assert matches.found.tolist() == [[0, -1], [-1, 0], [-1, -1]]


def test_pictures_are_joined_by_score_and_objects_counted_through() -> None:
    matches = match(
        [truth([A, B], [0, 0]), truth([A], [1])],
        [seen([B], [0.3], [0]), seen([A, FAR], [0.9, 0.1], [1, 1])],
        [0.5],
    )
    assert matches.scores.tolist() == pytest.approx([0.9, 0.3, 0.1])
    assert matches.pictures.tolist() == [1, 0, 1]
    assert matches.found[0].tolist() == [2, 1, -1]
    assert matches.objects.tolist() == [0, 0, 1]


def test_the_limit_of_detections_keeps_the_surest() -> None:
    matches = match([truth([A], [0])], [seen([FAR, A], [0.2, 0.6], [0, 0])], [0.5], True, 1)
    assert matches.scores.tolist() == pytest.approx([0.6])


def test_confusion_counts_mistakes_for_classes_and_background() -> None:
    objects = [truth([A, B, FAR], [0, 1, 1]), truth([], [])]
    found = [
        # A as itself; B taken for class 0; FAR missed; a second box on A is background.
        seen([A, B, NEAR], [0.9, 0.8, 0.7], [0, 0, 0]),
        seen([A, A], [0.6, 0.1], [1, 1]),
    ]
    matrix = confusion_matrix(objects, found, classes=2, threshold=0.5, iou=0.5)
    assert matrix.tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 0]]


def test_confusion_prefers_the_right_class_to_the_surer_box() -> None:
    matrix = confusion_matrix(
        [truth([A], [1])], [seen([A, NEAR], [0.9, 0.8], [0, 1])], classes=2, threshold=0.5, iou=0.5
    )
    assert matrix.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
