"""Labels spoilt on purpose, which must be found and ranked on top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.detection.detections import Detections
from models.detection.metrics.label_errors import Suspect, suspect_labels
from models.detection.metrics.truth import Truth

LIMITS = np.array([0.5, 0.5], np.float32)
A = [0, 0, 40, 40]
B = [60, 60, 100, 100]
MOVED = [20, 0, 60, 40]  # IoU 1/3 with A
NUDGED = [2, 0, 42, 40]  # IoU 0.9 with A


def truth(*rows: tuple[list[int], int]) -> Truth:
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    return Truth(boxes, np.array([label for _, label in rows], np.int64))


def seen(*rows: tuple[list[int], int, float]) -> Detections:
    rows = tuple(sorted(rows, key=lambda row: -row[2]))
    return Detections(
        np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in rows], np.float32),
        np.array([label for _, label, _ in rows], np.int64),
    )


def one(labels: Truth, found: Detections, **options: float) -> list[Suspect]:
    return suspect_labels([labels], [found], LIMITS, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "found", "kind", "label", "suggested", "quality"),
    [
        # Nobody labelled what is surely seen.
        (truth((A, 0)), seen((A, 0, 0.9), (B, 1, 0.8)), "missing", None, 1, 0.2),
        # Two classes for one object without a label: one suspect, the surer class.
        (truth(), seen((B, 0, 0.7), (B, 1, 0.8)), "missing", None, 1, 0.2),
        # A label where nothing is seen, or hardly anything.
        (truth((A, 0), (B, 1)), seen((A, 0, 0.9)), "needless", 1, None, 0.0),
        (truth((A, 0), (B, 1)), seen((A, 0, 0.9), (B, 1, 0.2)), "needless", 1, None, 0.4),
        # Another class, believed far more.
        (truth((A, 0)), seen((A, 1, 0.9), (A, 0, 0.1)), "wrong class", 0, 1, 0.2),
        # The right class, badly placed.
        (truth((MOVED, 0)), seen((A, 0, 0.9)), "badly placed", 0, 0, 0.1),
    ],
)
def test_each_kind_of_error_is_found(
    labels: Truth,
    found: Detections,
    kind: str,
    label: int | None,
    suggested: int | None,
    quality: float,
) -> None:
    (suspect,) = one(labels, found)
    assert (suspect.kind, suspect.label, suspect.class_index) == (kind, label, suggested)
    assert suspect.quality == pytest.approx(quality, abs=1e-6)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (truth((A, 0), (B, 1)), seen((A, 0, 0.9), (B, 1, 0.6))),
        (truth((NUDGED, 0)), seen((A, 0, 0.9))),
        # Both classes are believed: the label may well be right.
        (truth((A, 0)), seen((A, 1, 0.8), (A, 0, 0.7))),
        # Two objects on one another, each labelled.
        (truth((A, 0), (NUDGED, 1)), seen((A, 0, 0.9), (NUDGED, 1, 0.9))),
        # Unsure.
        (truth(), seen((A, 0, 0.4))),
        (truth(), seen()),
    ],
)
def test_good_labels_are_left_alone(labels: Truth, found: Detections) -> None:
    assert one(labels, found) == []


def test_what_is_seen_in_a_crowd_needs_no_label() -> None:
    crowd = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.array([B], np.float32),
                  np.array([0]))  # fmt: skip
    assert one(crowd, seen((B, 1, 0.9))) == []
    assert one(crowd, seen(([70, 70, 80, 80], 1, 0.9))) == []  # a sixteenth of it
    assert len(one(crowd, seen(([40, 60, 64, 100], 1, 0.9)))) == 1  # it only reaches in


@pytest.mark.parametrize(
    ("options", "count"), [({}, 1), ({"placed": 0.3}, 0), ({"quality": 0.05}, 0)]
)
def test_limits_have_an_effect(options: dict[str, float], count: int) -> None:
    assert len(one(truth((MOVED, 0)), seen((A, 0, 0.9)), **options)) == count


def test_a_miss_says_less_of_a_class_that_the_model_often_misses() -> None:
    def unseen(others: int, missed: int) -> float:
        truths = [truth((A, 0))] * (others + 1)
        found = [seen()] * (missed + 1) + [seen((A, 0, 0.9))] * (others - missed)
        return suspect_labels(truths, found, LIMITS, quality=1.0)[0].quality

    assert unseen(9, 0) == pytest.approx(0.0)
    assert unseen(9, 4) == pytest.approx(0.4)


def test_a_bad_fit_says_less_of_a_class_that_often_fits_badly() -> None:
    def moved(others: int, bad: int) -> float:
        truths = [truth((MOVED, 0))] + [truth(([24, 0, 64, 40], 0))] * bad
        truths += [truth((A, 0))] * (others - bad)
        found = [seen((A, 0, 0.9))] * (others + 1)
        listed = suspect_labels(truths, found, LIMITS, quality=1.0)
        return next(one.quality for one in listed if one.picture == 0)

    assert moved(9, 0) == pytest.approx(0.1)
    assert moved(9, 4) == pytest.approx(1 - 0.9 * 0.6)


def test_a_second_look_counts_for_half() -> None:
    asked: list[Sequence[int]] = []

    def look(pictures: Sequence[int]) -> list[Detections]:
        asked.append(pictures)
        return [seen((A, 0, 0.9)), seen((A, 0, 0.1))]

    truths = [truth((A, 0)), truth(), truth()]
    found = [seen((A, 0, 0.9)), seen((A, 0, 0.8)), seen((A, 0, 0.95))]
    first = suspect_labels(truths, found, LIMITS, quality=1.0)
    again = suspect_labels(truths, found, LIMITS, quality=1.0, second_look=look)
    assert asked == [[1, 2]]
    assert [one.picture for one in first] == [2, 1]
    assert [one.picture for one in again] == [1, 2]
    assert [one.quality for one in again] == pytest.approx([0.15, 0.475])


def test_spoilt_labels_come_first_among_a_hundred_pictures() -> None:
    rng = np.random.default_rng(0)
    truths, found, spoilt = [], [], set()
    places = np.array([[0, 0], [100, 0], [0, 100]])
    for picture in range(100):
        corner = rng.uniform(0, 30, (3, 2)) + places
        boxes = np.concatenate([corner, corner + rng.uniform(30, 60, (3, 2))], axis=1)
        labels = rng.integers(0, 2, 3)
        noise = rng.normal(0, 1, (3, 4))
        rows = zip((boxes + noise).tolist(), labels.tolist(), rng.uniform(0.7, 1, 3), strict=True)
        found.append(seen(*rows, ([200, 200, 220, 220], 0, rng.uniform(0.1, 0.45))))
        given = list(zip(boxes.tolist(), labels.tolist(), strict=True))
        if picture % 10 == 3:
            kind = picture // 10 % 4
            box, label = given[0]
            if kind == 0:
                given.pop(0)
            elif kind == 1:
                given[0] = (box, 1 - label)
            elif kind == 2:
                given[0] = ([box[0] + 20, box[1] + 12, box[2] + 20, box[3] + 12], label)
            else:
                given.append(([250, 250, 280, 280], label))
            spoilt.add((picture, ("missing", "wrong class", "badly placed", "needless")[kind]))
        truths.append(truth(*given))
    ranked = suspect_labels(truths, found, LIMITS, placed=0.7, quality=1.0)
    assert {(one.picture, one.kind) for one in ranked[: len(spoilt)]} == spoilt
