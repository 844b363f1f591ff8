"""From output tensors to detections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.detection.detections import Detections
from models.detection.postprocessing import QueryPostprocessing, postprocessor
from models.package import ModelCard, Threshold
from models.preprocessing import Preprocessing

STEPS = Preprocessing(height=64, width=96)
SHAPES = ((48, 96), (200, 100), (64, 96))
PLACEMENTS = [STEPS.placement(*shape) for shape in SHAPES]


def outputs(queries: int, classes: int, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (3, queries, classes)).astype(np.float32)
    return logits, random.random((3, queries, 4)).astype(np.float32)


@pytest.mark.parametrize(("queries", "classes", "most"), [(10, 2, 300), (40, 80, 50), (7, 1, 3)])
def test_it_equals_a_plain_loop(queries: int, classes: int, most: int) -> None:
    logits, boxes = outputs(queries, classes)
    found = QueryPostprocessing(max_detections=most)((logits, boxes), STEPS, PLACEMENTS)
    for picture, detections in enumerate(found):
        place = PLACEMENTS[picture]
        candidates = [
            (1 / (1 + np.exp(-float(logits[picture, query, label]))), query, label)
            for query in range(queries)
            for label in range(classes)
        ]
        candidates.sort(key=lambda one: -one[0])
        assert len(detections) == min(most, len(candidates))
        for index, (score, query, label) in enumerate(candidates[:most]):
            x, y, w, h = boxes[picture, query] * [96, 64, 96, 64]
            box = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            scale = np.tile([place.scale_x, place.scale_y], 2)
            box = (box - np.tile([place.left, place.top], 2)) / scale
            box = box.clip(0, np.tile([place.width, place.height], 2))
            assert detections.scores[index] == pytest.approx(score, abs=1e-6)
            assert detections.classes[index] == label
            np.testing.assert_allclose(detections.boxes[index], box, atol=1e-3)


def test_types_and_order() -> None:
    for found in QueryPostprocessing()(outputs(20, 3), STEPS, PLACEMENTS):
        assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
        assert found.classes.dtype == np.int64
        assert (np.diff(found.scores) <= 0).all()


def test_ties_keep_the_order_of_queries() -> None:
    logits = np.zeros((1, 6, 2), np.float32)
    boxes = np.linspace(0.1, 0.5, 24, dtype=np.float32).reshape(1, 6, 4)
    found = QueryPostprocessing()((logits, boxes), STEPS, PLACEMENTS[2:])[0]
    assert found.classes.tolist() == [0, 1] * 6


@pytest.mark.filterwarnings("error")
def test_extreme_logits_give_scores_of_0_and_1() -> None:
    logits = np.array([[[-500.0], [500.0]]], np.float32)
    found = QueryPostprocessing()(
        (logits, np.full((1, 2, 4), 0.5, np.float32)), STEPS, PLACEMENTS[:1]
    )
    assert found[0].scores.tolist() == [1.0, 0.0]


def test_the_threshold_is_the_packages_unless_given(card: ModelCard) -> None:
    logits, boxes = outputs(10, 2)
    chosen = Threshold(value=0.9, per_class={"blue": 0.2})
    process = postprocessor(card.model_copy(update={"threshold": chosen}))
    for found in process((logits, boxes), PLACEMENTS, None):
        assert (found.scores >= np.where(found.classes == 1, 0.2, 0.9).astype(np.float32)).all()
        assert (found.scores[found.classes == 1] < 0.9).any()
    for found in process((logits, boxes), PLACEMENTS, 0.7):
        assert (found.scores >= np.float32(0.7)).all()
    assert [len(found) for found in process((logits, boxes), PLACEMENTS, 0.0)] == [20] * 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"postprocessing": {"kind": "nms"}}, "postprocessing.kind"),
        ({"postprocessing": {"kind": "detr", "iou": 0.5}}, "postprocessing.iou"),
        (
            {"postprocessing": {"kind": "detr", "max_detections": 0}},
            "postprocessing.max_detections",
        ),
        ({"outputs": ()}, "outputs: expected"),
    ],
)
def test_a_description_it_does_not_know_is_refused(
    card: ModelCard, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError) as caught:
        postprocessor(card.model_copy(update=change))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_detections_are_cut() -> None:
    found = Detections(
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([0.9, 0.5, 0.3], np.float32),
        np.array([1, 0, 1]),
    )
    assert len(Detections.none()) == 0
    assert len(found.above(0.0)) == 3
    assert found.above(0.5).scores.tolist() == [np.float32(0.9), 0.5]
    assert found.above([0.6, 0.2]).classes.tolist() == [1, 1]
    assert found.best(1).boxes.tolist() == [[0, 1, 2, 3]]
    assert len(found.best(9)) == 3
