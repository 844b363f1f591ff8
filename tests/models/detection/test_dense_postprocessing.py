"""From the scores and boxes of dense networks to detections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from models.detection.postprocessing import DensePostprocessing
from models.preprocessing import Preprocessing

STEPS = Preprocessing(height=64, width=96)
PLACEMENTS = [STEPS.placement(*shape) for shape in ((48, 96), (200, 100), (64, 96))]


def outputs(places: int, classes: int, seed: int = 0) -> tuple[Any, Any]:
    """Crowded boxes, so that NMS has work."""
    random = np.random.default_rng(seed)
    scores = random.random((3, places, classes)).astype(np.float32) ** 4
    centres = 0.3 + 0.4 * random.random((3, places, 2))
    sides = 0.1 + 0.2 * random.random((3, places, 2))
    return scores, np.concatenate([centres, sides], 2).astype(np.float32)


@pytest.mark.parametrize(
    ("places", "classes", "changes"),
    [
        (300, 3, {}),
        (300, 1, {"nms_iou": 0.3}),
        (50, 6, {"candidates_before_nms": 100}),
        (300, 2, {"least_score": 0.5, "max_detections": 7}),
        (2000, 5, {}),
    ],
)
def test_it_equals_torchvisions_nms(places: int, classes: int, changes: dict[str, Any]) -> None:
    steps = DensePostprocessing(**changes)
    scores, boxes = outputs(places, classes)
    found = steps((scores, boxes), STEPS, PLACEMENTS)
    for picture, detections in enumerate(found):
        flat = scores[picture].reshape(-1)
        order = np.argsort(-flat, kind="stable")
        order = order[flat[order] > steps.least_score][: steps.candidates_before_nms]
        place, label = np.divmod(order, classes)
        x, y, w, h = (boxes[picture][place] * [96, 64, 96, 64]).T
        corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
        kept = batched_nms(
            torch.tensor(corners, dtype=torch.float64),
            torch.tensor(flat[order], dtype=torch.float64),
            torch.tensor(label),
            steps.nms_iou,
        ).numpy()[: steps.max_detections]
        assert 0 < len(kept) < len(order)
        np.testing.assert_array_equal(detections.classes, label[kept])
        np.testing.assert_array_equal(detections.scores, flat[order][kept])
        wanted = PLACEMENTS[picture].to_picture(corners[kept].astype(np.float32))
        np.testing.assert_allclose(detections.boxes, wanted, atol=1e-3)
        assert detections.boxes.dtype == np.float32


def test_a_picture_without_anything_gives_nothing() -> None:
    scores, boxes = outputs(10, 2)
    scores[1] = 0.005
    found = DensePostprocessing()((scores, boxes), STEPS, PLACEMENTS)
    assert [len(one) > 0 for one in found] == [True, False, True]
    assert found[1].boxes.shape == (0, 4)


def test_the_same_box_in_two_classes_is_kept_twice_and_ties_keep_the_order_of_places() -> None:
    boxes = np.tile(np.array([0.5, 0.5, 0.2, 0.2], np.float32), (1, 3, 1))
    scores = np.array([[[0.5, 0.5], [0.5, 0.5], [0.4, 0.6]]], np.float32)
    (found,) = DensePostprocessing().candidates((scores, boxes))
    assert found.classes.tolist() == [1, 0]
    np.testing.assert_array_equal(found.scores, np.float32([0.6, 0.5]))


def test_small_boxes_are_told_apart() -> None:
    """Two boxes of 2 px in an input of 2048, side by side."""
    side = 2 / 2048
    boxes = np.array([[[0.5, 0.5, side, side], [0.5 + side, 0.5, side, side]]], np.float32)
    scores = np.array([[[0.9], [0.8]]], np.float32)
    (found,) = DensePostprocessing().candidates((scores, boxes))
    assert len(found) == 2


def test_boxes_that_are_no_numbers_or_inside_out_do_no_harm() -> None:
    boxes = np.array([[[np.nan] * 4, [np.inf] * 4, [0.5, 0.5, -0.2, 0.2], [0.5] * 4]], np.float32)
    scores = np.array([[[0.9], [0.8], [0.7], [0.6]]], np.float32)
    (found,) = DensePostprocessing().candidates((scores, boxes))
    np.testing.assert_array_equal(found.scores[-1:], np.float32([0.6]))
    assert np.isfinite(found.boxes).all()
