from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from models.detection.augmentation import Augmentation
from models.detection.augmentation_options import AugmentationOptions
from models.detection.scene import Scene

SWITCHES = (
    *("flip", "vertical_flip", "rot90", "zoom_out", "iou_crop", "affine", "mosaic", "mixup"),
    *("colour", "photometric", "brightness_contrast", "gamma", "grey", "blur", "noise"),
    "coarse_dropout",
)
OFF: dict[str, Any] = dict.fromkeys(SWITCHES, 0.0)
FILL = (114, 114, 114)
BOX = np.array([[20, 30, 44, 50]], np.float32)
CLASS = np.array([3])


def patch(box: Any = BOX[0], ground: tuple[int, int, int] = (40, 60, 90)) -> Any:
    """A white patch exactly where the box is, on a coloured ground."""
    image = np.full((96, 96, 3), ground, np.uint8)
    x1, y1, x2, y2 = np.asarray(box, int)
    image[y1:y2, x1:x2] = 255
    return image


class Supplied:
    """Pictures with a white patch each; the first one is the one asked for."""

    size = 96, 96

    def __init__(self, boxes: Any = BOX, classes: Any = CLASS, others: int = 3) -> None:
        self.scenes = [Scene(patch(), boxes, classes)]
        for other in range(others):
            box = np.array([[10.0 + other, 15, 30, 40]], np.float32)
            ground = (20 * other, 90, 40)
            self.scenes.append(Scene(patch(box[0], ground), box, np.array([4 + other])))

    def __len__(self) -> int:
        return len(self.scenes)

    def placed(self, index: int, bare: Scene) -> Scene:
        return Scene(bare.image.copy(), bare.boxes, bare.classes)

    def bare(self, index: int) -> Scene:
        return self.scenes[index]

    def offset(self, index: int) -> tuple[int, int]:
        return 0, 0


def change(seed: int, supply: Supplied | None = None, **options: Any) -> Scene:
    phase = {name: options.pop(name) for name in ("light", "combine") if name in options}
    made = Augmentation(AugmentationOptions.model_validate({**OFF, **options}), FILL)
    return made(supply or Supplied(), 0, np.random.default_rng(seed), **phase)


def every(value: float = 0.5) -> dict[str, float]:
    return dict.fromkeys(SWITCHES, value)


def test_a_seed_makes_the_same_choices_and_another_one_others() -> None:
    first = [change(seed, **every()) for seed in range(30)]
    again = [change(seed, **every()) for seed in reversed(range(30))][::-1]
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.boxes, other.boxes)
        assert np.array_equal(one.classes, other.classes)
    assert len({one.image.tobytes() for one in first}) == 30


def test_transforms_are_drawn_independently_of_each_other() -> None:
    ways = [
        tuple(change(seed, flip=0.5, vertical_flip=0.5).boxes[0, :2] != BOX[0, :2])
        for seed in range(200)
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
        {"zoom_out": 1.0},
        {"iou_crop": 1.0},
        {"zoom_out": 1.0, "iou_crop": 1.0, "affine": 1.0, "rotate": 0.0, "flip": 1.0, "rot90": 1},
    ],
)
def test_box_and_picture_stay_together(options: dict[str, Any]) -> None:
    moved = 0
    for seed in range(20):
        scene = change(seed, **options)
        if not len(scene.boxes):
            continue
        assert scene.classes.tolist() == [3]
        ys, xs = np.nonzero((scene.image > 185).all(axis=2))
        seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert np.abs(scene.boxes[0] - seen).max() <= 1.6
        moved += not np.array_equal(scene.boxes, BOX)
    assert moved >= 10


def test_boxes_lie_on_their_objects_in_a_mosaic() -> None:
    classes: set[int] = set()
    checked = 0
    for seed in range(40):
        scene = change(seed, mosaic=1.0, rotate=0.0, min_visible=0.9)
        assert scene.image.shape == (96, 96, 3)
        classes |= set(scene.classes.tolist())
        for x1, y1, x2, y2 in np.round(scene.boxes).astype(int):
            inside = scene.image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1]
            assert (inside > 185).all()
            ring = np.ones((y2 - y1 + 6, x2 - x1 + 6), bool)
            ring[2:-2, 2:-2] = False
            top, left = y1 - 3, x1 - 3
            if top < 0 or left < 0 or y2 + 3 > 96 or x2 + 3 > 96:
                continue
            around = scene.image[top : y2 + 3, left : x2 + 3][ring]
            checked += 1
            assert (around.min(axis=1) < 185).mean() > 0.6
    assert classes == {3, 4, 5, 6} and checked > 20


def test_a_mosaic_reads_each_picture_as_it_is_and_leaves_it_alone() -> None:
    supply = Supplied()
    before = [scene.image.copy() for scene in supply.scenes]
    for seed in range(10):
        change(seed, supply, **every(1.0))
    assert all(np.array_equal(a, b.image) for a, b in zip(before, supply.scenes, strict=True))


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0])
def test_the_scale_of_a_mosaic(scale: float) -> None:
    options = {"mosaic": 1.0, "mosaic_scale": (scale, scale), "rotate": 0.0, "min_visible": 1.0}
    scenes = [change(seed, Supplied(others=0), **options) for seed in range(30)]
    sides = np.concatenate([scene.boxes[:, 2:] - scene.boxes[:, :2] for scene in scenes])
    assert len(sides) > 10
    assert sides == pytest.approx(np.tile([24 * scale, 20 * scale], (len(sides), 1)), abs=1e-3)


@pytest.mark.parametrize("name", SWITCHES)
def test_each_transform_has_an_effect_and_can_be_switched_off(name: str) -> None:
    assert np.array_equal(change(1).image, patch())
    changed = [not np.array_equal(change(s, **{name: 1.0}).image, patch()) for s in range(20)]
    assert sum(changed) >= 10


@pytest.mark.parametrize(
    ("switch", "name", "value"),
    [
        ("affine", "rotate", 90.0),
        ("affine", "scale", (0.3, 0.4)),
        ("affine", "shift", 0.5),
        ("affine", "min_visible", 1.0),
        ("mosaic", "rotate", 90.0),
        ("mosaic", "mosaic_scale", (0.3, 0.4)),
        ("mosaic", "shift", 0.5),
        ("mosaic", "min_visible", 1.0),
        ("zoom_out", "zoom_limit", 9.0),
    ],
)
def test_each_setting_has_an_effect(switch: str, name: str, value: object) -> None:
    base: dict[str, Any] = {switch: 1.0, "shift": 0.3, "min_visible": 0.0}
    pairs = [(change(s, **base).boxes, change(s, **{**base, name: value}).boxes) for s in range(30)]
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_zooming_out_makes_objects_smaller_within_the_limit() -> None:
    areas = []
    for seed in range(40):
        (box,) = change(seed, zoom_out=1.0, zoom_limit=2.0, min_visible=0.0).boxes
        areas.append((box[2:] - box[:2]).prod() / (24 * 20))
    assert 0.25 <= min(areas) < 0.35 and 0.8 < max(areas) <= 1.0


def test_a_crop_keeps_one_object_and_enlarges() -> None:
    areas = []
    for seed in range(40):
        boxes = change(seed, iou_crop=1.0, min_visible=0.0).boxes
        areas += [(box[2:] - box[:2]).prod() for box in boxes]
    assert max(areas) > 2 * 24 * 20


def test_boxes_end_inside_the_picture_and_gone_ones_take_their_class_along() -> None:
    many = np.array([[0, 0, 96, 96], [0, 0, 20, 20], [80, 80, 96, 96]], np.float32)
    supply = Supplied(many, np.array([0, 1, 2]))
    gone = 0
    for seed in range(60):
        scene = change(seed, supply, affine=1.0, shift=0.6, scale=(0.5, 2.0), min_visible=0.3)
        boxes = scene.boxes
        assert len(boxes) == len(scene.classes) == len(set(scene.classes.tolist()))
        assert (boxes >= 0).all() and (boxes <= 96).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 0.99).all()
        gone += 3 - len(boxes)
    assert gone > 10


def test_pictures_without_boxes_pass() -> None:
    supply = Supplied(BOX[:0], CLASS[:0], others=0)
    for seed in range(20):
        scene = change(seed, supply, **every())
        assert scene.boxes.shape == (0, 4)
        assert scene.classes.shape == (0,)


def test_light_turns_but_does_not_distort() -> None:
    scene = change(2, **{**every(1.0), "vertical_flip": 0.0, "rot90": 0.0}, light=True)
    assert np.array_equal(scene.image, patch()[:, ::-1])
    assert scene.boxes.tolist() == [[52, 30, 76, 50]]


def test_pictures_are_combined_only_while_that_is_allowed() -> None:
    assert np.array_equal(change(2, mosaic=1.0, mixup=1.0, combine=False).image, patch())


def test_a_mixture_holds_the_objects_of_both() -> None:
    scenes = [change(seed, mixup=1.0) for seed in range(20)]
    assert {len(scene.boxes) for scene in scenes} == {2}
    assert {tuple(scene.classes) for scene in scenes} == {(3, 3), (3, 4), (3, 5), (3, 6)}
    assert any(130 < scene.image[40, 42].mean() < 250 for scene in scenes)


def test_what_comes_in_from_outside_has_the_colour_of_letterboxing() -> None:
    for options in ({"affine": 1.0, "scale": (0.5, 0.5)}, {"mosaic": 1.0, "shift": 1.0}):
        wanted = AugmentationOptions.model_validate({**OFF, **options})
        made = Augmentation(wanted, (1, 2, 3))(Supplied(), 0, np.random.default_rng(1))
        assert (made.image == (1, 2, 3)).all(axis=2).any()


def test_colours_move_as_they_say() -> None:
    def mean(seed: int, **options: float) -> Any:
        return change(seed, **options).image[60:, 60:].reshape(-1, 3).mean(axis=0)

    grey = mean(0, grey=1.0)
    assert np.ptp(grey) < 1.5 and grey[0] == pytest.approx(0.299 * 40 + 0.587 * 60 + 0.114 * 90, 1)
    gammas = [mean(seed, gamma=1.0)[2] for seed in range(30)]
    assert 255 * (90 / 255) ** 1.5 - 1 <= min(gammas) < 80 and 100 < max(gammas) <= 129
    # Channels are swapped by the photometric distortion alone.
    orders = {
        name: {tuple(np.argsort(mean(seed, **{name: 1.0}))) for seed in range(40)}
        for name in ("colour", "photometric", "brightness_contrast")
    }
    assert len(orders["photometric"]) > 3
    assert orders["brightness_contrast"] == {(0, 1, 2)}


def test_noise_has_the_strength_it_should() -> None:
    ground = np.full((96, 96, 3), 128, np.uint8)
    supply = Supplied(BOX[:0], CLASS[:0], others=0)
    supply.scenes[0] = Scene(ground, BOX[:0], CLASS[:0])
    spreads = [change(seed, supply, noise=1.0).image.std() for seed in range(20)]
    assert 2.0 < min(spreads) < max(spreads) < 13.0
    assert abs(change(0, supply, noise=1.0).image.mean() - 128) < 0.5


def test_objects_that_holes_cover_do_not_count() -> None:
    tiny = np.array([[20, 30, 24, 34], [60, 60, 96, 96]], np.float32)
    supply = Supplied(tiny, np.array([0, 1]))
    gone = 0
    for seed in range(300):
        scene = change(seed, supply, coarse_dropout=1.0)
        hidden = (scene.image[30:34, 20:24] == 114).all(axis=2).mean()
        if hidden == 1.0:
            assert 0 not in scene.classes
            gone += 1
        elif hidden == 0.0:
            assert 0 in scene.classes
    assert gone > 3


def test_transforms_of_albumentations_can_be_added() -> None:
    added = ({"name": "Transpose", "p": 1.0}, {"name": "MotionBlur", "p": 0.5})
    scenes = [change(seed, albumentations=added) for seed in range(12)]
    assert all(scene.boxes.tolist() == [[30, 20, 50, 44]] for scene in scenes)
    assert len({scene.image.tobytes() for scene in scenes}) > 2
    again = change(3, albumentations=added)
    assert np.array_equal(again.image, scenes[3].image)
    plain = cv2.transpose(patch())
    assert any(np.array_equal(scene.image, plain) for scene in scenes)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"name": "NoSuchThing"}, "albumentations has no 'NoSuchThing'"),
        ({"name": "Compose"}, "albumentations has no 'Compose'"),
        ({"name": "MotionBlur", "blurr": 3}, "MotionBlur: .*blurr"),
        ({"name": "MotionBlur", "p": 7}, "MotionBlur: "),
    ],
)
def test_a_wrong_transform_is_one_clear_line(entry: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        change(0, albumentations=(entry,))
    assert "\n" not in str(caught.value)


def test_a_transform_that_changes_the_size_is_refused() -> None:
    with pytest.raises(ValueError, match="must leave pictures at their size"):
        change(0, albumentations=({"name": "RandomCrop", "height": 8, "width": 8},))
    with pytest.raises(ValidationError, match="expected tables like"):
        AugmentationOptions.model_validate({"albumentations": [{"p": 1}]})
