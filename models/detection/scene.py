"""A picture with its boxes, and what moves both together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.labels import Boxes, Classes
from models.reporting import Image

Matrix = NDArray[np.float64]
"""Shape (3, 3): homogeneous pixel coordinates before, to those after."""

_LEAST = 1.0
"""Sides under a pixel can't be learned from."""


@dataclass(frozen=True)
class Scene:
    """A picture and the objects on it."""

    image: Image
    boxes: Boxes
    classes: Classes

    def keep(self, which: NDArray[np.bool_]) -> Scene:
        """Drop the objects that `which` doesn't name."""
        return Scene(self.image, self.boxes[which], self.classes[which])


def warp(
    scene: Scene, matrix: Matrix, size: tuple[int, int], fill: tuple[int, int, int], least: float
) -> Scene:
    """Move a picture and its boxes by an affine matrix.

    Args:
        scene: what to move; its picture may have a fourth channel, which is dropped.
        matrix: from pixels of `scene` to pixels of the result.
        size: height and width of the result.
        fill: colour of what comes in from outside.
        least: share of a box that must stay inside, else it is dropped.

    Returns:
        The picture and upright boxes around the moved ones, clipped to it.
    """
    import cv2

    # OpenCV moves four channels in half the time of three.
    four = scene.image.shape[2] == 4
    rgba = scene.image if four else cv2.cvtColor(scene.image, cv2.COLOR_RGB2RGBA)
    pixel = _half(-1) @ matrix @ _half(1)  # its coordinates are those of pixels' centres
    moved = cv2.warpAffine(
        rgba,
        pixel[:2],
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(*fill, 255),
    )
    image = np.asarray(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), np.uint8)
    return clip(Scene(image, move_boxes(scene.boxes, matrix), scene.classes), least)


def move_boxes(boxes: Boxes, matrix: Matrix) -> Boxes:
    """Find the upright boxes around moved boxes."""
    corners = np.ones((len(boxes), 4, 3))
    corners[:, :, 0] = boxes[:, [0, 2, 2, 0]]
    corners[:, :, 1] = boxes[:, [1, 1, 3, 3]]
    moved = corners @ matrix[:2].T
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).astype(np.float32)


def clip(scene: Scene, least: float) -> Scene:
    """Clip boxes to the picture; drop those of which too little is left."""
    if not len(scene.boxes):
        return scene
    height, width = scene.image.shape[:2]
    clipped, stays = clip_boxes(scene.boxes, (0, 0, width, height), least)
    return Scene(scene.image, clipped[stays], scene.classes[stays])


def clip_boxes(
    boxes: Boxes, window: tuple[float, float, float, float], least: float
) -> tuple[Boxes, NDArray[np.bool_]]:
    """Clip boxes to a window (xyxy), and say of which at least the share `least` is left."""
    bounds = np.array(window, np.float32)
    clipped = np.clip(boxes, np.tile(bounds[:2], 2), np.tile(bounds[2:], 2))
    before = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9)
    sides = clipped[:, 2:] - clipped[:, :2]
    # A hair of tolerance: a box that is all inside must pass `least = 1`.
    stays = (sides.prod(axis=1) >= (least - 1e-5) * before) & (sides.min(axis=1) >= _LEAST)
    return clipped, stays


def scaling(x: float, y: float) -> Matrix:
    """Scale about the picture's corner."""
    return np.diag([x, y, 1.0])


def shifting(x: float, y: float) -> Matrix:
    """Shift by pixels."""
    matrix = np.eye(3)
    matrix[:2, 2] = x, y
    return matrix


def turning(degrees: float) -> Matrix:
    """Turn about the picture's corner."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


def _half(sign: int) -> Matrix:
    return shifting(0.5 * sign, 0.5 * sign)
