from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.detection.augmentation import Augmentation
from models.detection.augmentation_options import AugmentationOptions

OFF: dict[str, Any] = dict.fromkeys(
    ("flip", "vertical_flip", "rot90", "affine", "colour", "grey", "blur", "noise"), 0.0
)
FILL = (114, 114, 114)
BOX = np.array([[20, 30, 44, 50]], np.float32)
CLASS = np.array([3])


def picture() -> Any:
    """A white patch exactly where the box is, on a coloured ground."""
    image = np.full((96, 96, 3), (40, 60, 90), np.uint8)
    image[30:50, 20:44] = 255
    return image


def augmentation(**options: Any) -> Augmentation:
    return Augmentation(AugmentationOptions.model_validate({**OFF, **options}), FILL)


def test_a_seed_makes_the_same_choices_and_another_one_others() -> None:
    change = Augmentation(AugmentationOptions(rot90=0.5), FILL)
    first = [change(picture(), BOX, CLASS, seed) for seed in range(30)]
    again = [change(picture(), BOX, CLASS, seed) for seed in reversed(range(30))][::-1]
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert len({one[0].tobytes() for one in first}) > 25


def test_transforms_are_drawn_independently_of_each_other() -> None:
    change = augmentation(flip=0.5, vertical_flip=0.5)
    ways = [
        tuple(change(picture(), BOX, CLASS, seed)[1][0, :2] != BOX[0, :2]) for seed in range(200)
    ]
    counts = {way: ways.count(way) for way in set(ways)}
    assert len(counts) == 4
    assert all(25 <= count <= 75 for count in counts.values())


@pytest.mark.parametrize(
    "options",
    [
        {"flip": 1.0},
        {"vertical_flip": 1.0},
        {"rot90": 1.0},
        {"affine": 1.0, "rotate": 0.0, "scale": (0.5, 1.5), "shift": 0.2},
    ],
)
def test_box_and_picture_stay_together(options: dict[str, Any]) -> None:
    change = augmentation(**options)
    moved = 0
    for seed in range(20):
        image, boxes, classes = change(picture(), BOX, CLASS, seed)
        if not len(boxes):
            continue
        assert classes.tolist() == [3]
        ys, xs = np.nonzero((image > 200).all(axis=2))
        patch = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert np.abs(boxes[0] - patch).max() <= 1.5
        moved += not np.array_equal(boxes, BOX)
    assert moved >= 10


@pytest.mark.parametrize("name", sorted(OFF))
def test_each_transform_has_an_effect_and_can_be_switched_off(name: str) -> None:
    on, off = augmentation(**{name: 1.0}), augmentation()
    changed = [not np.array_equal(on(picture(), BOX, CLASS, s)[0], picture()) for s in range(20)]
    assert sum(changed) >= 10
    assert np.array_equal(off(picture(), BOX, CLASS, 1)[0], picture())


@pytest.mark.parametrize(
    ("name", "value"),
    [("rotate", 90.0), ("scale", (0.3, 0.4)), ("shift", 0.5), ("min_visible", 1.0)],
)
def test_each_setting_of_affine_has_an_effect(name: str, value: object) -> None:
    base: dict[str, Any] = {"affine": 1.0, "shift": 0.3, "min_visible": 0.0}
    one, other = augmentation(**base), augmentation(**{**base, name: value})
    pairs = [
        (one(picture(), BOX, CLASS, s)[1], other(picture(), BOX, CLASS, s)[1]) for s in range(30)
    ]
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_boxes_end_inside_the_picture_and_gone_ones_take_their_class_along() -> None:
    change = augmentation(affine=1.0, shift=0.6, scale=(0.5, 2.0), min_visible=0.3)
    many = np.array([[0, 0, 96, 96], [0, 0, 20, 20], [80, 80, 96, 96]], np.float32)
    gone = 0
    for seed in range(60):
        _, boxes, classes = change(picture(), many, np.array([0, 1, 2]), seed)
        assert len(boxes) == len(classes) == len(set(classes.tolist()))
        assert (boxes >= 0).all() and (boxes <= 96).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 0.99).all()
        gone += 3 - len(boxes)
    assert gone > 10


def test_a_picture_without_boxes_passes() -> None:
    change = Augmentation(AugmentationOptions(), FILL)
    _, boxes, classes = change(picture(), BOX[:0], CLASS[:0], 4)
    assert boxes.shape == (0, 4)
    assert classes.shape == (0,)


def test_light_turns_but_does_not_distort() -> None:
    change = augmentation(flip=1.0, affine=1.0, colour=1.0, noise=1.0)
    image, _, _ = change(picture(), BOX, CLASS, 2, light=True)
    assert np.array_equal(image, picture()[:, ::-1])


def test_what_comes_in_from_outside_has_the_colour_of_letterboxing() -> None:
    change = Augmentation(
        AugmentationOptions.model_validate({**OFF, "affine": 1.0, "scale": (0.5, 0.5)}), (1, 2, 3)
    )
    image, _, _ = change(picture(), BOX, CLASS, 0)
    assert image[0, 0].tolist() == [1, 2, 3]
