"""Random changes to pictures of lines. Needs no torch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.ocr.augmentation_options import AugmentationOptions
from models.reporting import Image


class Augmentation:
    """Changes a picture that has the network's input size."""

    def __init__(self, options: AugmentationOptions) -> None:
        self._options = options

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """Change a picture; it stays as it is.

        Args:
            image: RGB, uint8, (height, width, 3).
            rng: what chance is drawn from; the same draws the same.
        """
        options = self._options
        # Everything is drawn first, so that switching one change off leaves the others alike.
        draws = rng.random(36)
        noise_seed = int(rng.integers(2**31))
        image = _moved(image, options, np.append(draws[:12], draws[32:34]))
        if draws[34] < options.stroke:
            image = _other_weight(image, draws[35])
        if draws[12] < options.coarse:
            image = _coarse(image, draws[13])
        if draws[14] < options.blur:
            image = _blurred(image, options.blur_size, draws[15:18])
        table = _levels(options, draws[18:24])
        if table is not None:
            image = np.asarray(cv2.LUT(image, table), np.uint8)
        if draws[24] < options.shadow:
            image = _shadowed(image, draws[25:28])
        if draws[28] < options.erase:
            image = _erased(image, draws[29:31])
        if options.noise:
            image = _noisy(image, options.noise * 255.0 * draws[31] ** 2, noise_seed)
        return image


def _moved(image: Image, options: AugmentationOptions, draws: NDArray[np.float64]) -> Image:
    """Stretch, squeeze, slant, shift and tilt in one go."""
    ways = (options.perspective, options.stretch, options.shift, options.squeeze, options.slant)
    if not any(ways):
        return image
    height, width = image.shape[:2]
    signed = 2.0 * draws - 1.0
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    middle = np.array([width / 2, height / 2])
    factors = 1.0 + options.stretch * signed[:2]
    factors[0] *= 1.0 - options.squeeze * draws[12]
    moved = (corners - middle) * factors
    moved[:, 0] -= options.slant * signed[13] * moved[:, 1]
    moved += middle + options.shift * height * signed[2:4]
    moved += options.perspective * height * signed[4:12].reshape(4, 2)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    found = cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.uint8)


def _other_weight(image: Image, draw: float) -> Image:
    """Make strokes bolder or lighter: a mix with the darkest or lightest of the neighbours.

    Which of the two bolder is depends on the ink, dark or light; both are drawn alike often.
    """
    share = abs(2.0 * draw - 1.0)
    around = np.ones((3, 3), np.uint8)
    other = cv2.erode(image, around) if draw < 0.5 else cv2.dilate(image, around)
    return np.asarray(cv2.addWeighted(image, 1.0 - share, other, share, 0.0), np.uint8)


def _coarse(image: Image, draw: float) -> Image:
    height, width = image.shape[:2]
    share = 0.45 + 0.4 * draw
    small = cv2.resize(
        image,
        (max(1, round(width * share)), max(1, round(height * share))),
        None,
        0,
        0,
        cv2.INTER_AREA,
    )
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)


def _blurred(image: Image, largest: float, draws: NDArray[np.float64]) -> Image:
    sigma = largest * max(0.2, draws[0])
    if draws[1] < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    size = 2 * round(1.5 * sigma) + 3
    kernel = np.zeros((size, size), np.float32)
    angle = np.pi * draws[2]
    reach = 1.5 * sigma
    middle = size // 2
    tip = np.array([np.cos(angle), np.sin(angle)]) * reach
    start, end = (middle - tip).round().astype(int), (middle + tip).round().astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), (1.0,), 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _levels(options: AugmentationOptions, draws: NDArray[np.float64]) -> Image | None:
    """A table of new levels for each channel."""
    signed = 2.0 * draws - 1.0
    if not (options.contrast or options.brightness or options.colour or options.invert):
        return None
    levels = np.arange(256, dtype=np.float32)[:, None] - 127.5
    levels = levels * (1.0 + options.contrast * signed[0]) + 255.0 * options.brightness * signed[1]
    levels = levels + 255.0 * options.colour * signed[2:5] + 127.5
    if draws[5] < options.invert:
        levels = 255.0 - levels
    return np.asarray(np.clip(levels, 0, 255), np.uint8).reshape(1, 256, 3)


def _shadowed(image: Image, draws: NDArray[np.float64]) -> Image:
    height, width = image.shape[:2]
    angle = 2.0 * np.pi * draws[0]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    low, high = float(along.min()), float(along.max())
    edge = low + (high - low) * draws[1]
    soft = np.clip((along - edge) / (0.3 * height) + 0.5, 0.0, 1.0)
    dark = 1.0 - (0.2 + 0.4 * draws[2]) * soft
    return np.asarray(image * dark[..., None], np.uint8)


def _erased(image: Image, draws: NDArray[np.float64]) -> Image:
    height, width = image.shape[:2]
    wide = max(1, round(0.2 * height))
    left = int(draws[0] * max(1, width - wide))
    painted = image.copy()
    painted[:, left : left + wide] = int(255 * draws[1])
    return painted


def _noisy(image: Image, deviation: float, seed: int) -> Image:
    if deviation < 1.0:
        return image
    noise = np.empty(image.shape[:2], np.int16)
    cv2.setRNGSeed(seed)
    cv2.randn(noise, 0, deviation)
    return np.asarray(np.clip(image.astype(np.int16) + noise[..., None], 0, 255), np.uint8)
