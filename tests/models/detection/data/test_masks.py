"""Boxes around run-length masks, beside pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference

from models.detection.data.masks import mask_box


@pytest.mark.parametrize("seed", range(40))
def test_plain_and_compressed_masks_have_the_references_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(3, 300, 2))
    pixels = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        pixels[top : top + int(rng.integers(1, 90)), left : left + int(rng.integers(1, 90))] = 1
    if seed % 3 == 0:
        pixels &= rng.integers(0, 2, pixels.shape, np.uint8)
    coded = reference.encode(np.asfortranarray(pixels))
    x, y, w, h = reference.toBbox(coded).tolist()
    flat = np.concatenate([[0], pixels.ravel(order="F"), [2]])
    edges = np.flatnonzero(np.diff(flat))
    runs = np.diff(np.concatenate([[0], edges])).tolist()
    for counts in (coded["counts"].decode(), runs):
        box = mask_box({"size": [height, width], "counts": counts})
        assert box == ([x, y, x + w, y + h] if w else None)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        ({"counts": [4]}, "says no size"),
        ({"size": [2, 0], "counts": [0]}, "says no size"),
        ({"size": [2, "2"], "counts": [4]}, "says no size"),
        ({"size": [2, 2]}, "has no run lengths"),
        ({"size": [2, 2], "counts": [1, -1, 4]}, "has no run lengths"),
        ({"size": [2, 2], "counts": [1, 2.5]}, "has no run lengths"),
        ({"size": [2, 2], "counts": [1, 1]}, "cover 2 pixels of 4"),
        ({"size": [2, 2], "counts": "P"}, "cut off"),
        ({"size": [2, 2], "counts": "\u20ac"}, "aren't COCO's"),
        ({"size": [2, 2], "counts": "o" * 50}, "aren't COCO's"),
    ],
)
def test_what_is_no_mask_says_why(mask: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mask_box(mask)
