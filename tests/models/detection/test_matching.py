from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from models.detection.detections import Detections
from models.detection.metrics.confusion import confusion_matrix
from models.detection.metrics.matching import box_iou, match
from models.detection.metrics.scores import scores_at, threshold_curves
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


def one_by_one(
    truths: list[Truth], found: list[Detections], iou: float, by_class: bool
) -> list[tuple[int, float]]:
    """Match as the words say, one detection after the other; object and IoU, the surest first."""
    rows = []
    first = 0
    for one, here in zip(truths, found, strict=True):
        free = set(range(len(one)))
        for index in np.argsort(-here.scores, kind="stable"):
            best, value = -1, np.float32(0.0)
            for place in sorted(free):
                if by_class and one.classes[place] != here.classes[index]:
                    continue
                overlap = box_iou(here.boxes[index : index + 1], one.boxes[place : place + 1])
                if overlap.item() > value and overlap.item() >= np.float32(iou):
                    best, value = place, overlap.item()
            free.discard(best)
            rows.append((here.scores[index], first + best if best >= 0 else -1, float(value)))
        first += len(one)
    order = np.argsort([-score for score, _, _ in rows], kind="stable")
    return [rows[index][1:] for index in order]


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("pairs", [1, 50, 2_000_000])
def test_all_at_once_gives_what_one_by_one_gives(
    by_class: bool, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.detection.metrics.greedy._PAIRS", pairs)
    rng = np.random.default_rng(pairs)
    truths, found = [], []
    for _ in range(25):
        count, more = rng.integers(0, 6), rng.integers(0, 12)
        corner = rng.integers(0, 12, (count + more, 2))
        size = rng.integers(0, 9, (count + more, 2))  # small whole numbers: many equal IoUs
        boxes = np.concatenate([corner, corner + size], axis=1)
        labels = rng.integers(0, 2, count + more)
        scores = np.round(rng.random(more), 1)
        truths.append(truth(boxes[:count], labels[:count]))
        found.append(seen(boxes[count:], scores, labels[count:]))
    ious = (0.1, 0.5, 0.75)
    made = match(truths, found, ious, by_class)
    for index, iou in enumerate(ious):
        expected = one_by_one(truths, found, iou, by_class)
        assert made.found[index].tolist() == [place for place, _ in expected]
        assert made.overlap[index].tolist() == pytest.approx([value for _, value in expected])
    assert (made.found[0] >= 0).sum() > 10


@pytest.mark.parametrize(("by_class", "ignored"), [(True, [True, False]), (False, [True, True])])
def test_what_lies_in_a_crowd_is_neither_right_nor_false(
    by_class: bool, ignored: list[bool]
) -> None:
    crowd = Truth(
        np.array([A], np.float32), np.array([0]), np.array([FAR], np.float32), np.array([1])
    )
    found = seen([[50, 50, 55, 55], [51, 51, 59, 59], A], [0.9, 0.8, 0.7], [1, 0, 0])
    made = match([crowd], [found], [0.5], by_class)
    assert made.ignored[0].tolist() == [*ignored, False]
    counted = scores_at(made, 0.0)
    assert (counted.correct, counted.false, counted.missed) == (1, ignored.count(False), 0)
    assert len(threshold_curves(made).thresholds) == 1 + ignored.count(False)
