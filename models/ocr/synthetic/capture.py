"""Photograph a line and cut it out: tilt, bend, blur, light, noise, compression.

Lengths are told by the height of a digit in the final picture, so that small lines aren't
blurred more than people could read.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.synthetic.textures import Picture, Plane, normal, smooth

Points = NDArray[np.float64]
_LEAST_DETAIL = 14.0
"""Deviation of the levels from those around, from which a line can be read."""
_FINER = 2
"""Pixels of the print for one of the picture, along a side."""


@dataclass(frozen=True)
class View:
    """How a flat print is looked at."""

    matrix: NDArray[np.float64]
    """From the print's pixels to the picture's, before it is bent, 3 x 3."""
    bend: float
    """How far the middle of the print lies below its ends, pixels of the picture."""
    middle: float
    """x of the print's middle, pixels of the picture."""
    half: float
    """From there to the print's ends, pixels of the picture."""

    def place(self, points: Points) -> Points:
        """Find where points (N, 2) of the print lie in the picture."""
        rows = np.column_stack([points, np.ones(len(points))]) @ self.matrix.T
        placed: Points = rows[:, :2] / rows[:, 2:]
        placed[:, 1] += self._drop(placed[:, 0])
        return placed

    def source(self, frame: tuple[int, int, int, int]) -> tuple[Plane, Plane]:
        """For each pixel of a frame x0, y0, x1, y1 of the picture, where in the print it lies."""
        x0, y0, x1, y1 = frame
        x = np.arange(x0, x1, dtype=np.float64)[None] + 0.5
        y = np.arange(y0, y1, dtype=np.float64)[:, None] + 0.5 - self._drop(x)
        a = np.linalg.inv(self.matrix)
        depth = a[2, 0] * x + a[2, 1] * y + a[2, 2]
        across = (a[0, 0] * x + a[0, 1] * y + a[0, 2]) / depth - 0.5
        down = (a[1, 0] * x + a[1, 1] * y + a[1, 2]) / depth - 0.5
        return across.astype(np.float32), down.astype(np.float32)

    def _drop(self, x: Points) -> Points:
        drop: Points = self.bend * (1 - ((x - self.middle) / self.half) ** 2)
        return drop


def look(
    rng: np.random.Generator, size: tuple[int, int], scale: float, tall: float, difficulty: float
) -> View:
    """Choose how a print is looked at.

    Args:
        rng: Source of every choice.
        size: Width and height of the print, its pixels.
        scale: Pixels of the picture for one of the print.
        tall: Height of a digit in the picture, pixels.
        difficulty: 0 (straight from the front) to 1.
    """
    width, height = size
    turn = np.deg2rad(np.clip(rng.normal(0, 0.4 + 3.2 * difficulty), -9, 9))
    shear = rng.normal(0, 0.02 + 0.12 * difficulty)
    narrow = 1 - 0.3 * difficulty * rng.random()
    # Perspective, so weak that one end of the print is at most a third larger than the other.
    tip_x, tip_y = (rng.uniform(-0.28, 0.28, 2) * difficulty) / np.array([width, height])
    centre = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1.0]])
    flat = np.array([[scale * narrow, 0, 0], [0, scale, 0], [0, 0, 1.0]])
    slant = np.array([[1, shear, 0], [0, 1, 0], [tip_x / scale, tip_y / scale, 1.0]])
    cos, sin = np.cos(turn), np.sin(turn)
    roll = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    bend = 0.0
    if rng.random() < 0.35 * (0.4 + difficulty):  # around a bottle
        bend = float(rng.uniform(-1, 1)) * difficulty * 0.9 * tall
    return View(roll @ slant @ flat @ centre, bend, 0.0, max(1.0, scale * width / 2))


def photograph(
    rng: np.random.Generator,
    printed: Picture,
    view: View,
    frame: tuple[int, int, int, int],
    tall: float,
    difficulty: float,
) -> Picture:
    """Take the picture of a frame.

    Args:
        rng: Source of every choice.
        printed: The print, BGR, twice as fine as the picture.
        view: How it is looked at.
        frame: The part to cut out, x0, y0, x1, y1, pixels of the picture.
        tall: Height of a digit in the picture, pixels.
        difficulty: 0 (a clean scan) to 1.
    """
    soft = cv2.GaussianBlur(printed, (0, 0), 0.3 * _FINER)
    across, down = view.source(frame)
    picture = cv2.remap(soft, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    picture = _blur(rng, np.asarray(picture, np.uint8), tall, difficulty)
    height, width = picture.shape[:2]
    light = _light(rng, height, width, difficulty)
    contrast = 1 - 0.55 * difficulty * rng.beta(1, 1.8)
    haze = (1 - contrast) * rng.uniform(40, 170)
    cast = 1 + 0.1 * (rng.random(3) * 2 - 1)
    gain = cv2.merge([light * np.float32(c * contrast) for c in cast])
    image = cv2.multiply(picture, gain, dtype=cv2.CV_32F)
    image, detail = _legible(image, tall)
    # What ink and paper differ by decides how much noise can be read through.
    level = min(1 + 16 * difficulty * rng.beta(1.2, 3), max(1.0, 0.35 * detail))
    image = cv2.scaleAdd(normal(rng, picture.shape), float(level), image)
    shot = np.asarray(cv2.add(image, (haze, haze, haze, 0), dtype=cv2.CV_8U), np.uint8)
    if rng.random() < 0.35 + 0.5 * difficulty:
        quality = int(rng.integers(round(80 - 55 * difficulty), 91))
        _, coded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, quality])
        shot = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return shot


def _legible(image: Plane, tall: float) -> tuple[Plane, float]:
    """Give print back its contrast where fading, haze and shadow came together.

    Args:
        image: BGR levels, no noise in it yet.
        tall: height of a digit, pixels.

    Returns:
        The levels, and the deviation of green from what is around.
    """
    around = cv2.blur(image, (max(3, round(1.2 * tall)),) * 2)
    detail = float(np.std(image[..., 1] - around[..., 1]))
    if detail >= _LEAST_DETAIL:
        return image, detail
    more = min(6.0, _LEAST_DETAIL / max(detail, 0.1))
    return np.asarray(cv2.addWeighted(image, more, around, 1 - more, 0), np.float32), detail * more


def _blur(rng: np.random.Generator, picture: Picture, tall: float, difficulty: float) -> Picture:
    """Defocus (a disc), motion (a line), a lower resolution, or none."""
    choice = rng.random()
    if choice < 0.25 * (0.5 + difficulty):
        radius = tall * (0.02 + 0.11 * difficulty * rng.beta(1.3, 2))
        return _filtered(picture, _disc(radius))
    if choice < 0.45 * (0.5 + difficulty):
        length = tall * (0.05 + 0.32 * difficulty * rng.beta(1.2, 2))
        return _filtered(picture, _streak(length, rng.uniform(0, np.pi)))
    if choice < 0.65 * (0.5 + difficulty):
        height, width = picture.shape[:2]
        share = max(9 / tall, 1 - 0.65 * difficulty * rng.random())  # digits keep 9 pixels
        if share < 1:
            size = (max(2, round(width * share)), max(2, round(height * share)))
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            return np.asarray(cv2.resize(small, (width, height)), np.uint8)
    return picture


def _filtered(picture: Picture, kernel: Plane) -> Picture:
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _disc(radius: float) -> Plane:
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    kernel: Plane = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    kernel /= kernel.sum()
    return kernel


def _streak(length: float, angle: float) -> Plane:
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = np.round((np.array([-half, half]) + reach) * 16).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_AA, 4)
    kernel /= np.float32(max(float(kernel.sum()), 1e-6))
    return kernel


def _light(rng: np.random.Generator, height: int, width: int, difficulty: float) -> Plane:
    """Uneven light, a shadow's soft edge, a gleam: what the picture is multiplied by."""
    uneven = 0.05 + 0.7 * difficulty * rng.random()
    light = np.float32(rng.uniform(0.75, 1.15)) * (
        1 + np.float32(uneven) * (smooth(rng, height, width, 1.5) - 0.5)
    )
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.15 + 0.4 * difficulty:
        angle = rng.uniform(0, 2 * np.pi)
        px, py = rng.random(2) * (width, height)
        along = (x - np.float32(px)) * np.float32(np.cos(angle))
        along += (y - np.float32(py)) * np.float32(np.sin(angle))
        soft = np.float32(rng.uniform(0.05, 0.6) * height)
        depth = np.float32(rng.uniform(0.15, 0.25 + 0.4 * difficulty))
        light = light * (1 - depth / (1 + np.exp(-np.clip(along / soft * 4, -30, 30))))
    if rng.random() < 0.25 * difficulty:
        cx, cy = rng.random(2) * (width, height)
        size = np.float32(rng.uniform(0.3, 0.9) * height)
        spot = np.exp(-((x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2) / (2 * size**2))
        light = light * (1 + np.float32(rng.uniform(0.1, 0.5)) * spot)
    return np.asarray(light, np.float32)
