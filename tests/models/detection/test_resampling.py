"""mAP of any selection of pictures is what a whole evaluation of that selection gives."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.detections import Detections
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.resampling import PictureRecords
from models.detection.metrics.truth import Truth


def scene(seed: int, pictures: int, classes: int, crowds: bool, spread: float) -> tuple[list, list]:
    """Truths and detections near and away from them."""
    random = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corner, size = random.uniform(0, 80, (count, 2)), random.uniform(8, 40, (count, 2))
        return np.concatenate([corner, corner + size], 1).astype(np.float32)

    truths, found = [], []
    for _ in range(pictures):
        real = boxes(int(random.integers(0, 6)))
        kinds = random.integers(0, classes, len(real))
        crowd = boxes(int(random.integers(0, 2))) if crowds else boxes(0)
        truths.append(Truth(real, kinds, crowd, random.integers(0, classes, len(crowd))))
        near = np.repeat(real, 2, 0)
        near = near + random.normal(0, spread, near.shape).astype(np.float32)
        false = boxes(int(random.integers(0, 150)))
        inside = crowd + random.normal(0, 1, crowd.shape).astype(np.float32)
        every = np.concatenate([near, false, inside]).astype(np.float32)
        labels = random.integers(0, classes, len(every))
        labels[: len(near)] = np.repeat(kinds, 2)
        scores = random.permutation(np.linspace(0.01, 0.99, len(every))).astype(np.float32)
        found.append(Detections(every, scores + np.float32(random.uniform(0, 1e-3)), labels))
    return truths, found


@pytest.mark.parametrize(
    ("seed", "classes", "crowds", "spread"),
    [(0, 1, False, 1.0), (1, 3, False, 3.0), (2, 2, True, 2.0), (3, 5, True, 0.5)],
)
def test_it_is_cocos_map(seed: int, classes: int, crowds: bool, spread: float) -> None:
    truths, found = scene(seed, 30, classes, crowds, spread)
    records = PictureRecords(truths, found, classes)
    expected = coco_figures(truths, found, classes).values["mAP"]
    assert 0.01 < expected < 0.95
    assert records.figure() == pytest.approx(expected, abs=1e-12)
    random = np.random.default_rng(seed)
    for _ in range(5):
        counts = random.multinomial(30, np.full(30, 1 / 30))
        chosen = np.repeat(np.arange(30), counts)
        whole = coco_figures([truths[i] for i in chosen], [found[i] for i in chosen], classes)
        assert records.figure(counts) == pytest.approx(whole.values["mAP"], abs=1e-12)


def test_a_class_that_is_on_none_of_the_pictures_counts_for_nothing() -> None:
    truths, found = scene(5, 12, 2, False, 1.0)
    records = PictureRecords(truths, found, 2)
    only = np.array([set(truth.classes.tolist()) == {0} for truth in truths]).astype(np.int64)
    assert only.sum() >= 1
    chosen = np.flatnonzero(only)
    whole = coco_figures([truths[i] for i in chosen], [found[i] for i in chosen], 2)
    assert records.figure(only) == pytest.approx(whole.values["mAP"], abs=1e-12)
    assert np.isnan(records.figure(np.zeros(12, np.int64)))


def test_nothing_found_is_zero() -> None:
    truth = Truth(np.array([[0, 0, 9, 9]], np.float32), np.zeros(1, np.int64))
    assert PictureRecords([truth], [Detections.none()], 1).figure() == 0.0
