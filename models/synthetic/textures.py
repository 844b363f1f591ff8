"""Building blocks of procedural pictures: noise, colours, printed words.

Pictures are BGR `uint8` here, as OpenCV writes them; coordinates are (x, y) in pixels.
"""

from __future__ import annotations

import functools
import string
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

_WORD_HEIGHT = 40
_LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits * 2


def smooth(rng: np.random.Generator, height: int, width: int, cells: float) -> Plane:
    """Smooth noise in 0..1 with about `cells` blobs along the longer side."""
    longer = max(height, width)
    rows = max(2, round(cells * height / longer) + 1)
    columns = max(2, round(cells * width / longer) + 1)
    grid = rng.random((rows, columns), dtype=np.float32)
    plane: Plane = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return plane


def stretched(rng: np.random.Generator, height: int, width: int, rows: int, columns: int) -> Plane:
    """Noise in 0..1 with `rows` by `columns` cells: grain of wood, brushed metal, fibres."""
    grid = rng.random((max(2, rows), max(2, columns)), dtype=np.float32)
    plane: Plane = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return plane


def fractal(rng: np.random.Generator, height: int, width: int, cells: float, octaves: int) -> Plane:
    """Sum of `octaves` smooth noises, each twice as fine and half as strong; about 0..1."""
    total = np.zeros((height, width), np.float32)
    weight, weights = 1.0, 0.0
    for _ in range(octaves):
        total += weight * smooth(rng, height, width, cells)
        weights += weight
        weight, cells = weight / 2, cells * 2
    return total / np.float32(weights)


@functools.cache
def _normal_table() -> Plane:
    """Byte to standard normal: a table beats drawing normals by a factor of ten."""
    levels = [NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)]
    return np.array(levels, np.float32)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """Standard normal noise (256 levels)."""
    raw = np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)
    noise: Plane = cv2.LUT(raw, _normal_table())
    return noise


def _low(rng: np.random.Generator, low: float, high: float) -> float:
    """A number from the range, the lower the likelier: few things are vivid."""
    share: float = rng.random() ** 1.8
    return low + (high - low) * share


def colour(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0, 180),
    saturation: tuple[float, float] = (0.1, 0.8),
    value: tuple[float, float] = (0.2, 0.95),
) -> Plane:
    """A random BGR colour, 0..255, from ranges in HSV (hue in degrees / 2)."""
    hsv = np.array(
        [[[rng.uniform(*hue) % 180, 255 * _low(rng, *saturation), 255 * rng.uniform(*value)]]],
        np.uint8,
    )
    bgr: Picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    found: Plane = bgr[0, 0].astype(np.float32)
    return found


def blend(plane: Plane, low: Plane, high: Plane) -> Picture:
    """Map 0..1 to the line between two colours, in 256 steps."""
    ramp = low + np.linspace(0, 1, 256, dtype=np.float32)[:, None] * (high - low)
    steps = (np.clip(plane, 0, 1) * 255).astype(np.uint8)
    picture: Picture = cv2.applyColorMap(steps, ramp.astype(np.uint8)[:, None])
    return picture


def shade(picture: Picture, plane: Plane) -> Picture:
    """Multiply a picture by a plane (1 leaves it as it is)."""
    shaded: Picture = cv2.multiply(picture, cv2.merge([plane] * 3), dtype=cv2.CV_8U)
    return shaded


def rgb(colour: Plane) -> tuple[float, float, float]:
    """A colour as OpenCV's drawing functions take it (they keep our BGR order)."""
    return float(colour[0]), float(colour[1]), float(colour[2])


@functools.cache
def _glyphs(bold: bool) -> dict[str, Picture]:
    """Coverage of each printable letter, 255 where ink is, `_WORD_HEIGHT` pixels high.

    Pillow's own font is used because its file is part of the wheel: a system's fonts would make
    the pictures depend on the machine.
    """
    font = ImageFont.load_default(size=30)
    glyphs = {}
    for letter in string.printable[:95]:
        width = max(4, round(font.getlength(letter)) + (2 if bold else 1))
        image = Image.new("L", (width, _WORD_HEIGHT))
        ImageDraw.Draw(image).text((1, 2), letter, 255, font, stroke_width=int(bold))
        glyphs[letter] = np.array(image)
    return glyphs


def printed(text: str, bold: bool = False) -> Picture:
    """Coverage of one line of text, 255 where ink is, shape (40, width)."""
    glyphs = _glyphs(bold)
    return np.hstack([glyphs.get(letter, glyphs["?"]) for letter in text])


def words(rng: np.random.Generator, count: int) -> str:
    """Random words, which read like none."""
    lengths = rng.integers(2, 10, count)
    picks = rng.integers(0, len(_LETTERS), int(lengths.sum()))
    letters = [_LETTERS[i] for i in picks]
    out, start = [], 0
    for length in lengths:
        out.append("".join(letters[start : start + length]))
        start += length
    return " ".join(out)


def write_line(
    picture: Picture, text: str, x: int, y: int, height: int, ink: Plane, bold: bool = False
) -> int:
    """Print a line of text with its top left at (x, y), cut off at the picture's border.

    Returns:
        The width it took, pixels.
    """
    strip = printed(text, bold)
    width: int = max(1, round(strip.shape[1] * height / _WORD_HEIGHT))
    strip = cv2.resize(strip, (width, max(1, height)), interpolation=cv2.INTER_AREA)
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, picture.shape[1]), min(y + height, picture.shape[0])
    if x0 < x1 and y0 < y1:
        cover = strip[y0 - y : y1 - y, x0 - x : x1 - x, None].astype(np.float32) / 255
        area = picture[y0:y1, x0:x1]
        area[:] = (area + cover * (ink - area)).astype(np.uint8)
    return width


def text_block(
    rng: np.random.Generator,
    picture: Picture,
    box: tuple[int, int, int, int],
    line: int,
    ink: Plane,
) -> None:
    """Fill the box (x0, y0, x1, y1) with lines of text of the height `line`, pixels."""
    x0, y0, x1, y1 = box
    area = picture[max(y0, 0) : y1, max(x0, 0) : x1]
    if area.size == 0 or line < 3:
        return
    bold = bool(rng.random() < 0.25)
    step = max(line + 1, round(line * 1.15))
    count = max(1, (x1 - x0) // max(1, 3 * line))
    for y in range(0, area.shape[0] - line, step):
        if rng.random() < 0.93:
            text = words(rng, int(rng.integers(max(1, count // 2), count + 2)))
            write_line(area, text, 0, y, line, ink, bold)
