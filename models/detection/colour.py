"""Random colours, blur, noise and holes of training pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.detection.augmentation_options import AugmentationOptions
from models.detection.scene import Scene
from models.reporting import Image

_Colour = NDArray[np.float64]
"""Shape (4, 4): homogeneous RGB before, to RGB after."""

_LUMA = np.array([0.299, 0.587, 0.114])
_YIQ = np.array([_LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = np.linalg.inv(_YIQ)
_HOLES = 8
_HOLE_SIDES = (0.05, 0.2)


def recolour(scene: Scene, options: AugmentationOptions, rng: Generator) -> Scene:
    """Change colours, sharpness and noise, each with its probability, and cut holes.

    All linear changes of colour become one matrix over the channels: hue turns in the plane of
    YIQ, contrast is about the picture's mean, saturation about each pixel's luma.
    """
    import cv2

    image = scene.image
    matrix = _linear(image, options, rng)
    if matrix is not None:
        image = np.asarray(cv2.transform(image, matrix[:3].astype(np.float32)), np.uint8)
    if rng.random() < options.gamma:
        power = np.exp(rng.uniform(-0.4, 0.4))
        table = np.round(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
        image = np.asarray(cv2.LUT(image, table), np.uint8)
    if rng.random() < options.blur:
        side = int(rng.choice([3, 5]))
        image = np.asarray(cv2.GaussianBlur(image, (side, side), 0), np.uint8)
    if rng.random() < options.noise:
        image = _noisy(image, rng)
    if rng.random() < options.coarse_dropout:
        return _with_holes(Scene(image, scene.boxes, scene.classes), options, rng)
    return Scene(image, scene.boxes, scene.classes)


def _linear(image: Image, options: AugmentationOptions, rng: Generator) -> _Colour | None:
    steps: list[_Colour] = []
    grey = cache(lambda: _mean_luma(image))
    if rng.random() < options.colour:
        light, contrast, saturation = rng.uniform(0.7, 1.3, 3)
        steps += [np.diag([light, light, light, 1.0]), _contrast(grey(), contrast)]
        steps += [_chroma(saturation, rng.uniform(-10.0, 10.0))]
    if rng.random() < options.brightness_contrast:
        steps += [_contrast(grey(), rng.uniform(0.8, 1.2)), _offset(rng.uniform(-51.0, 51.0))]
    if rng.random() < options.photometric:
        steps += _photometric(grey(), rng)
    if rng.random() < options.grey:
        steps.append(_chroma(0.0, 0.0))
    if not steps:
        return None
    matrix = np.eye(4)
    for step in steps:
        matrix = step @ matrix
    return matrix


def _photometric(grey: float, rng: Generator) -> list[_Colour]:
    """SSD's photometric distortion (Liu et al., 2016), each part every other time."""
    yes = rng.random(5) < 0.5
    amounts = rng.uniform([-32, 0.5, 0.5, -18], [32, 1.5, 1.5, 18])
    parts = [_offset(amounts[0]), _contrast(grey, amounts[1])]
    parts += [_chroma(amounts[2], 0.0), _chroma(1.0, amounts[3])]
    order = [0, 1, 2, 3] if rng.random() < 0.5 else [0, 2, 3, 1]  # contrast first or last
    steps = [parts[place] for place in order if yes[place]]
    swap = rng.permutation(3)
    if yes[4]:
        channels = np.eye(4)
        channels[:3, :3] = np.eye(3)[swap]
        steps.append(channels)
    return steps


def _offset(levels: float) -> _Colour:
    matrix = np.eye(4)
    matrix[:3, 3] = levels
    return matrix


def _contrast(grey: float, factor: float) -> _Colour:
    """Contrast about a level of grey."""
    matrix = np.diag([factor, factor, factor, 1.0])
    matrix[:3, 3] = (1.0 - factor) * grey
    return matrix


def _mean_luma(image: Image) -> float:
    """Luma of every eighth pixel of every eighth row, which tells the mean of all."""
    import cv2

    return float(_LUMA @ cv2.mean(np.ascontiguousarray(image[::8, ::8]))[:3])


def _chroma(saturation: float, degrees: float) -> _Colour:
    angle = np.deg2rad(degrees)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[1:] *= saturation
    matrix = np.eye(4)
    matrix[:3, :3] = _RGB @ turn @ _YIQ
    return matrix


def _noisy(image: Image, rng: Generator) -> Image:
    """Add Gaussian noise, by looking random bytes up in a table of normal quantiles."""
    import cv2

    table = np.round(_quantiles() * rng.uniform(2.5, 12.5)).astype(np.int8)
    numbers = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    return np.asarray(cv2.add(image, cv2.LUT(numbers, table), dtype=cv2.CV_8U), np.uint8)


@cache
def _quantiles() -> NDArray[np.float64]:
    """Quantiles of the normal distribution at the middles of 256 equal shares."""
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf((share + 0.5) / 256) for share in range(256)])


def _with_holes(scene: Scene, options: AugmentationOptions, rng: Generator) -> Scene:
    """Fill some rectangles with grey; an object that they all but cover is dropped."""
    image = scene.image.copy()
    height, width = image.shape[:2]
    covered = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, _HOLES + 1))):
        tall, wide = (rng.uniform(*_HOLE_SIDES, 2) * (height, width)).astype(int)
        top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
        image[top : top + tall, left : left + wide] = 114
        covered[top : top + tall, left : left + wide] = 1
    seen = np.ones(len(scene.boxes), bool)
    for place, (x1, y1, x2, y2) in enumerate(np.round(scene.boxes).astype(int)):
        part = covered[y1 : y2 + 1, x1 : x2 + 1]
        seen[place] = 1.0 - part.mean() >= options.min_visible
    return Scene(image, scene.boxes, scene.classes).keep(seen)
