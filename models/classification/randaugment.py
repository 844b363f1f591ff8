"""RandAugment (Cubuk et al., 2020) on uint8 pictures, with OpenCV and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from models.reporting import Image

_Change = Callable[[Image, float, tuple[int, int, int]], Any]


def randaugment(
    image: Image, count: int, magnitude: float, rng: Generator, fill: tuple[int, int, int]
) -> Image:
    """Make so many changes, drawn evenly with replacement.

    Args:
        image: RGB, uint8, not written to.
        count: changes.
        magnitude: 0 to 1; the sign of those that have one is drawn.
        rng: the same state makes the same choices.
        fill: colour of what comes in from outside.
    """
    for place in rng.integers(0, len(CHANGES), count):
        sign = 1.0 if rng.random() < 0.5 else -1.0
        changed = list(CHANGES.values())[int(place)](image, sign * magnitude, fill)
        image = np.asarray(changed, np.uint8)
    return image


def _warp(image: Image, matrix: list[list[float]], fill: tuple[int, int, int]) -> Any:
    import cv2

    height, width = image.shape[:2]
    full = np.array([*matrix, [0, 0, 1]], np.float64)
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    around = middle @ full @ np.linalg.inv(middle)
    size, ground = (width, height), cv2.BORDER_CONSTANT
    return cv2.warpAffine(image, around[:2], size, borderMode=ground, borderValue=fill)


def _rotate(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    cos, sin = np.cos(amount * np.pi / 6), np.sin(amount * np.pi / 6)
    return _warp(image, [[cos, -sin, 0], [sin, cos, 0]], fill)


def _shear_x(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return _warp(image, [[1, 0.3 * amount, 0], [0, 1, 0]], fill)


def _shear_y(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return _warp(image, [[1, 0, 0], [0.3 * amount, 1, 0]], fill)


def _shift_x(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return _warp(image, [[1, 0, 0.45 * amount * image.shape[1]], [0, 1, 0]], fill)


def _shift_y(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return _warp(image, [[1, 0, 0], [0, 1, 0.45 * amount * image.shape[0]]], fill)


def _blend(image: Image, other: Any, amount: float) -> Any:
    """Go from the picture towards another (negative) or away from it."""
    import cv2

    factor = 1 + 0.9 * amount
    return cv2.addWeighted(image, factor, np.asarray(other, np.uint8), 1 - factor, 0)


def _brightness(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return _blend(image, np.zeros_like(image), amount)


def _contrast(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return _blend(image, np.full_like(image, round(float(image.mean()))), amount)


def _saturation(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blend(image, np.repeat(grey[..., None], 3, axis=2), amount)


def _sharpness(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    import cv2

    return _blend(image, cv2.GaussianBlur(image, (3, 3), 0), amount)


def _posterize(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    bits = 8 - round(abs(amount) * 4)
    return image & np.uint8(256 - (1 << (8 - bits)))


def _solarize(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    return np.where(image >= 256 * (1 - abs(amount)), 255 - image, image)


def _equalize(image: Image, amount: float, fill: tuple[int, int, int]) -> Any:
    import cv2

    even = np.dstack([cv2.equalizeHist(np.ascontiguousarray(image[..., c])) for c in range(3)])
    return cv2.addWeighted(even, abs(amount), image, 1 - abs(amount), 0)


CHANGES: dict[str, _Change] = {
    "rotate": _rotate,
    "shear x": _shear_x,
    "shear y": _shear_y,
    "shift x": _shift_x,
    "shift y": _shift_y,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "equalize": _equalize,
}
"""The changes by name; each leaves the picture as it is at magnitude 0."""
