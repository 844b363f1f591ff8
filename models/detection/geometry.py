"""Random geometry of training pictures: zoom-out, IoU crop, affine changes, mosaic.

What happens to one picture is composed into one matrix, so that it is interpolated once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from models.detection.augmentation_options import AugmentationOptions
from models.detection.labels import Boxes
from models.detection.scene import (
    Matrix,
    Scene,
    clip_boxes,
    move_boxes,
    scaling,
    shifting,
    turning,
    warp,
)

_CROP_TRIES = 20
_CROP_IOUS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)


class Geometry:
    """Draws and applies what moves the pixels of a training picture."""

    def __init__(self, options: AugmentationOptions, fill: tuple[int, int, int]) -> None:
        self._options = options
        self._fill = fill

    def distort(
        self, bare: Scene, offset: tuple[int, int], size: tuple[int, int], rng: Generator
    ) -> Scene | None:
        """Zoom out, crop, turn, scale and shift a picture within its size, each perhaps.

        Args:
            bare: the picture without the padding of a letterbox, which would only be moved to be
                overwritten.
            offset: where its left and top lie in the input, pixels.
            size: height and width of the input.
            rng: where chance comes from.

        Returns:
            The input; none if chance left all as it is.
        """
        options = self._options
        height, width = size
        placed = shifting(*offset)
        matrix = np.eye(3)
        if rng.random() < options.zoom_out:
            factor = rng.uniform(1.0, options.zoom_limit)
            inner = width / factor, height / factor
            left, top = rng.random(2) * (width - inner[0], height - inner[1])
            matrix = shifting(left, top) @ scaling(1 / factor, 1 / factor)
        if rng.random() < options.iou_crop:
            boxes = move_boxes(bare.boxes, matrix @ placed)
            matrix = self._crop(boxes, width, height, rng) @ matrix
        if rng.random() < options.affine:
            centre = width / 2, height / 2
            scale = np.exp(rng.uniform(*np.log(options.scale)))
            matrix = self._about(rng, scale, centre, centre, (width, height)) @ matrix
        if np.array_equal(matrix, np.eye(3)):
            return None
        return warp(bare, matrix @ placed, size, self._fill, options.min_visible)

    def mosaic(self, tiles: Sequence[Scene], size: tuple[int, int], rng: Generator) -> Scene:
        """Put four pictures round a random point, and cut an input out of it.

        The canvas has twice the input's sides. It is turned and shifted as by `affine`, always.

        Args:
            tiles: four pictures of the input's size or smaller.
            size: height and width of the input.
            rng: where chance comes from.
        """
        import cv2

        height, width = size
        options = self._options
        # One number is filled in far faster than three.
        ground = self._fill[0] if len(set(self._fill)) == 1 else (*self._fill, 255)
        # Four channels, as `warp` wants them: one copy of all pixels less.
        canvas = np.full((2 * height, 2 * width, 4), ground, np.uint8)
        x = int(width * rng.uniform(0.5, 1.5))
        y = int(height * rng.uniform(0.5, 1.5))
        boxes, classes = [], []
        for place, tile in enumerate(tiles):
            tall, wide = tile.image.shape[:2]
            left, top = (x - wide, x)[place % 2], (y - tall, y)[place // 2]
            x1, y1 = max(left, 0), max(top, 0)
            x2, y2 = min(left + wide, 2 * width), min(top + tall, 2 * height)
            if x2 > x1 and y2 > y1:
                part = tile.image[y1 - top : y2 - top, x1 - left : x2 - left]
                cv2.cvtColor(part, cv2.COLOR_RGB2RGBA, dst=canvas[y1:y2, x1:x2])
            if len(tile.boxes):
                placed = tile.boxes + np.array([left, top] * 2, np.float32)
                clipped, stays = clip_boxes(placed, (x1, y1, x2, y2), options.min_visible)
                boxes.append(clipped[stays])
                classes.append(tile.classes[stays])
        whole = Scene(
            canvas,
            np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
            np.concatenate([np.zeros(0, np.int64), *classes]),
        )
        scale = rng.uniform(*options.mosaic_scale)
        matrix = self._about(rng, scale, (width, height), (width / 2, height / 2), (width, height))
        return warp(whole, matrix, size, self._fill, options.min_visible)

    def _about(
        self,
        rng: Generator,
        scale: float,
        centre: tuple[float, float],
        onto: tuple[float, float],
        size: tuple[int, int],
    ) -> Matrix:
        """Turn and scale about `centre`, which comes to lie `onto`, give or take the shift."""
        options = self._options
        turn = turning(rng.uniform(-options.rotate, options.rotate))
        dx, dy = rng.uniform(-options.shift, options.shift, 2) * size
        back = shifting(onto[0] + dx, onto[1] + dy)
        return back @ turn @ scaling(scale, scale) @ shifting(-centre[0], -centre[1])

    def _crop(self, boxes: Boxes, width: int, height: int, rng: Generator) -> Matrix:
        """Choose a window as SSD does (Liu et al., 2016, section 2.2), and enlarge it.

        It has at least the drawn IoU with one of the boxes. The IoU is drawn anew at each try:
        windows hardly reach a large one where objects are small.
        """
        # All tries at once: one by one they cost more than the picture's colours.
        wanted = rng.choice(_CROP_IOUS, _CROP_TRIES)
        sides = rng.uniform(0.3, 1.0, (_CROP_TRIES, 2))
        corners = rng.random((_CROP_TRIES, 2)) * (1.0 - sides)
        ratios = sides[:, 0] / sides[:, 1]
        fine = (ratios >= 0.5) & (ratios <= 2.0)
        if len(boxes):
            windows = np.concatenate([corners, corners + sides], 1) * ([width, height] * 2)
            fine &= _ious(windows, boxes).max(axis=1) >= wanted
        if not fine.any():
            return np.eye(3)
        (wide, tall), (left, top) = sides[fine.argmax()], corners[fine.argmax()]
        return scaling(1 / wide, 1 / tall) @ shifting(-left * width, -top * height)


def _ious(some: Boxes, others: Boxes) -> Boxes:
    """IoU of each of some boxes with each of others."""
    low = np.maximum(some[:, None, :2], others[:, :2])
    high = np.minimum(some[:, None, 2:], others[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (some, others)]
    found: Boxes = common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-9)
    return found
