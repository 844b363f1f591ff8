from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.detection.dataset import Labels
from models.detection.options import TrainOptions
from models.detection.selection import Wanted, repeat_factors
from models.training.compact import Pairs, Rows, Texts
from models.training.order import TrainingOrder

# Ten pictures: class 0 on eight, class 1 on one, two without objects... one has both.
CLASSES = [[0], [0, 0], [0], [0, 1], [0], [0], [0], [0], [], []]


def labels(classes: list[list[int]] = CLASSES) -> Labels:
    counts = np.array([len(some) for some in classes], np.int64)
    flat = np.array([one for some in classes for one in some], np.int64)
    boxes = np.tile(np.array([0, 0, 5, 5], np.float32), (len(flat), 1))
    nothing = np.zeros(len(classes), np.int64)
    return Labels(
        folder=Path("nowhere"),
        classes=("often", "seldom", "never"),
        files=Texts(f"{index}.jpg" for index in range(len(classes))),
        sizes=Pairs(np.full((len(classes), 2), 10, np.int32)),
        boxes=Rows(boxes, counts),
        labels=Rows(flat, counts),
        crowd_boxes=Rows(boxes[:0], nothing),
        crowd_labels=Rows(flat[:0], nothing),
    )


def drawn(epochs: range, **options: Any) -> Counter[int]:
    wanted = Wanted(labels(), TrainOptions.model_validate(options))
    order = TrainingOrder(10, 4, 0, wanted)
    total: Counter[int] = Counter()
    for epoch in epochs:
        order.set_epoch(epoch)
        batches = list(order)
        assert [len(batch) for batch in batches] == [4, 4, 2]
        total.update(key.picture for batch in batches for key in batch)
    return total


def test_factors_are_those_of_the_paper() -> None:
    counts = np.array([len(some) for some in CLASSES])
    found = repeat_factors(labels(), counts, 0.4)
    expected = np.ones(10)
    expected[3] = np.sqrt(0.4 / 0.1)
    assert found == pytest.approx(expected)
    assert repeat_factors(labels(), counts, 0.05) == pytest.approx(np.ones(10))


def test_pictures_of_rare_classes_come_more_often() -> None:
    plain, balanced = drawn(range(200)), drawn(range(200), balance=0.9)
    assert set(plain.values()) == {200}
    # Weights: 3 for the rare one, sqrt(0.9 / 0.8) for the other seven, 1 for the empty ones.
    weights = np.array([np.sqrt(0.9 / 0.8)] * 8 + [1.0, 1.0])
    weights[3] = 3.0
    expected = weights / weights.sum() * 10 * 200
    assert [balanced[index] for index in range(10)] == pytest.approx(list(expected), rel=0.08)


def test_the_first_epochs_are_free_of_background_and_keep_their_length() -> None:
    early, late = drawn(range(3), background_free_epochs=3), drawn(range(3, 6))
    assert early[8] == early[9] == 0 and early.total() == 30
    assert set(early) == set(range(8))
    assert set(late.values()) == {3}
    assert drawn(range(3, 6), background_free_epochs=3) == late
    both = drawn(range(60), background_free_epochs=60, balance=0.9)
    assert both[8] == 0 and both[3] > 2 * both[0]
