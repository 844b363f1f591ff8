"""Resizing pictures, and bringing boxes back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.preprocessing import Preprocessing, to_pictures

SIDES = st.integers(1, 5000)
STEPS = st.builds(
    Preprocessing,
    height=st.integers(32, 700),
    width=st.integers(32, 700),
    resize_mode=st.sampled_from(["letterbox", "stretch"]),
    alignment=st.sampled_from(["centre", "top-left"]),
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, height=SIDES, width=SIDES, seed=st.integers(0, 9))
def test_boxes_come_back(steps: Preprocessing, height: int, width: int, seed: int) -> None:
    corners = np.random.default_rng(seed).random((5, 2, 2)).astype(np.float32)
    corners = np.sort(corners, axis=1) * np.array([width, height], np.float32)
    boxes = corners.reshape(5, 4)
    placement = steps.placement(height, width)
    inside = placement.to_input(boxes)
    assert inside.min() >= -1e-3
    assert (inside[:, 2] <= steps.width + 1e-3).all()
    assert (inside[:, 3] <= steps.height + 1e-3).all()
    # A pixel of the input may be 5000 / 32 pixels of the picture, with 24 bits for both.
    np.testing.assert_allclose(placement.to_picture(inside), boxes, atol=0.02)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS, height=st.integers(1, 300), width=st.integers(1, 300))
def test_pixels_lie_where_the_placement_says(steps: Preprocessing, height: int, width: int) -> None:
    white = np.full((height, width, 3), 255, np.uint8)
    resized, placement = steps.resize(white)
    assert resized.shape == (steps.height, steps.width, 3)
    rows = np.flatnonzero((resized == 255).all(axis=2).any(axis=1))
    columns = np.flatnonzero((resized == 255).all(axis=2).any(axis=0))
    whole = placement.to_input(np.array([[0, 0, width, height]], np.float32))[0]
    found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(found, whole, atol=1e-3)
    assert set(np.unique(resized)) <= {114, 255}


@pytest.mark.parametrize("mode", ["letterbox", "stretch"])
@pytest.mark.parametrize("interpolation", ["mipmap", "linear", "area"])
def test_an_object_lies_where_its_box_says(mode: Any, interpolation: Any) -> None:
    steps = Preprocessing(height=128, width=160, resize_mode=mode, interpolation=interpolation)
    image = np.zeros((603, 401, 3), np.uint8)
    box = np.array([[100, 200, 300, 500]], np.float32)
    image[200:500, 100:300] = 255
    resized, placement = steps.resize(image)
    left, top, right, bottom = placement.to_input(box)[0]
    lit = (resized[..., 0] > 127) & (resized[..., 1] != 114)
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(found, [left, top, right, bottom], atol=0.75)


def test_a_batch_is_its_pictures_one_by_one() -> None:
    random = np.random.default_rng(0)
    steps = Preprocessing(height=96, width=64)
    shapes = ((100, 50), (50, 100), (96, 64), (7, 300), (1, 1))
    images = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    inputs, placements = steps(images)
    for image, row, placement in zip(images, inputs, placements, strict=True):
        alone, where = steps.resize(image)
        assert (row == alone).all()
        assert placement == where
    boxes = random.random((5, 3, 4)).astype(np.float32) * 60
    together = to_pictures(boxes, placements)
    for row, box, placement in zip(together, boxes, placements, strict=True):
        assert (row == placement.to_picture(box)).all()


def test_no_pictures_make_an_empty_batch() -> None:
    inputs, placements = Preprocessing(height=32, width=48)([])
    assert inputs.shape == (0, 32, 48, 3)
    assert placements == []
    assert to_pictures(np.zeros((0, 10, 4), np.float32), []).shape == (0, 10, 4)


def test_a_picture_of_the_input_size_is_left_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert (Preprocessing(height=48, width=64).resize(image)[0] == image).all()


def test_a_view_is_as_good_as_a_copy() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    steps = Preprocessing(height=32, width=32)
    view = image[::-1, :, ::-1]
    assert (steps.resize(view)[0] == steps.resize(view.copy())[0]).all()


def test_options_have_an_effect() -> None:
    image = np.random.default_rng(0).integers(0, 256, (500, 320, 3), dtype=np.uint8)
    plain = Preprocessing(height=96, width=96)
    results = {"plain": plain.resize(image)[0].tobytes()}
    for change in (
        {"resize_mode": "stretch"},
        {"alignment": "top-left"},
        {"fill": (0, 10, 20)},
        {"interpolation": "linear"},
        {"interpolation": "area"},
        {"height": 64},
    ):
        changed = Preprocessing.model_validate({**plain.model_dump(), **change})
        results[str(change)] = changed.resize(image)[0].tobytes()
    assert len(set(results.values())) == len(results)


def test_fill_has_three_colours() -> None:
    resized, _ = Preprocessing(height=64, width=64, fill=(1, 2, 3)).resize(
        np.full((10, 20, 3), 9, np.uint8)
    )
    assert resized[0, 0].tolist() == resized[-1, -1].tolist() == [1, 2, 3]
    assert resized[32, 32].tolist() == [9, 9, 9]


@pytest.mark.parametrize(("interpolation", "most"), [("mipmap", 30), ("area", 30), ("linear", 255)])
def test_fine_stripes_turn_grey_and_not_into_false_ones(interpolation: Any, most: float) -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[:, ::2] = 255
    steps = Preprocessing(height=90, width=90, interpolation=interpolation)
    resized = steps.resize(image)[0][20:70, 20:70].astype(float)
    spread = resized.max() - resized.min()
    assert spread <= most
    assert spread > 30 or most == 30


def test_extreme_shapes() -> None:
    steps = Preprocessing(height=64, width=64)
    for shape in ((1, 20000, 3), (20000, 1, 3)):
        resized, placement = steps.resize(np.full(shape, 255, np.uint8))
        assert (resized == 255).any()
        box = np.array([[0, 0, shape[1], shape[0]]], np.float32)
        np.testing.assert_allclose(placement.to_picture(placement.to_input(box)), box, rtol=1e-5)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ([[1, 2, 3]], "numpy array, got list"),
        (np.zeros((4, 4), np.uint8), "uint8 (4, 4)"),
        (np.zeros((4, 4, 4), np.uint8), "uint8 (4, 4, 4)"),
        (np.zeros((4, 4, 3), np.float32), "float32 (4, 4, 3)"),
        (np.zeros((0, 4, 3), np.uint8), "uint8 (0, 4, 3)"),
    ],
)
def test_what_is_no_picture_is_refused(image: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        Preprocessing(height=32, width=32)([image])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"height": 0},
        {"std": (0.1, 0.0, 0.1)},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"fill": (0, 0, 256)},
        {"resize_mode": "crop"},
        {"unknown": 1},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate({"height": 32, "width": 32, **wrong})


def test_linear_is_opencvs() -> None:
    """`model.json` promises it to those who run a model without this code."""
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    steps = Preprocessing(height=32, width=32, interpolation="linear")
    assert (steps.resize(image)[0] == cv2.resize(image, (32, 32))).all()
    halved = cv2.resize(cv2.resize(image, (50, 50)), (32, 32))
    steps = Preprocessing(height=32, width=32, interpolation="mipmap")
    assert (steps.resize(image)[0] == halved).all()
