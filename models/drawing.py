"""Draw boxes with class names on pictures."""

from __future__ import annotations

import colorsys
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from models.images import Image

Colour = tuple[int, int, int]

# Tried in this order for names that the one before can't write; found where the system keeps fonts.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "arial.ttf",
)
_BUILT_IN = ""


def class_colour(index: int) -> Colour:
    """A colour for a class: neighbouring classes differ as much as they can."""
    hue = (index * 0.618033988749895 + 0.33) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_boxes(
    image: Image,
    boxes: ArrayLike,
    captions: Sequence[str],
    colours: Sequence[Colour] | None = None,
    thickness: int | None = None,
) -> Image:
    """Draw boxes with captions on a copy of a picture.

    Captions may be in any script. Where no installed font has a letter, its code is written
    instead (u4e2d after a backslash).

    Args:
        image: RGB `uint8`, shape (height, width, 3).
        boxes: `xyxy`, pixels, shape (N, 4).
        captions: One for each box; an empty one draws the box alone.
        colours: RGB for each box; green if None.
        thickness: Of the lines, pixels; by the picture's size if None.
    """
    canvas = Pillow.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    longer = max(image.shape[:2])
    line = thickness or max(1, round(longer / 400))
    size = max(10, round(longer / 45))
    rows = np.asarray(boxes, np.float64).reshape(-1, 4)
    painted = colours or [(0, 220, 0)] * len(rows)
    for (x0, y0, x1, y1), caption, colour in zip(rows, captions, painted, strict=True):
        right, bottom = max(x0, x1 - 1), max(y0, y1 - 1)
        draw.rectangle((x0, y0, right, bottom), outline=colour, width=line)
        if caption:
            _caption(draw, caption, (x0, y0, bottom), size, colour, image.shape[1])
    return np.asarray(canvas, np.uint8)


def _caption(
    draw: ImageDraw.ImageDraw,
    text: str,
    place: tuple[float, float, float],
    size: int,
    colour: Colour,
    width: int,
) -> None:
    """Write above the box, or inside it where there's no room above."""
    x, top, _ = place
    text, font = writable(" ".join(text.split()), size)
    left, upper, right, lower = draw.textbbox((0, 0), text, font=font)
    wide, tall = right - left + 4, lower - upper + 4
    y = top - tall if top >= tall else top
    x = max(0.0, min(x, width - wide))
    draw.rectangle((x, y, x + wide, y + tall), fill=colour)
    dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 110
    ink = (0, 0, 0) if dark else (255, 255, 255)
    draw.text((x + 2 - left, y + 2 - upper), text, ink, font)


def writable(text: str, size: int) -> tuple[str, Any]:
    """Find a font for a text.

    Args:
        text: in any script.
        size: of the letters, pixels.

    Returns:
        The text, and a Pillow font that has all its letters; if none has, those letters that are
        missing as codes.
    """
    for name in (*_FONTS, _BUILT_IN):
        font = _font(name, size)
        if font is not None and all(_has(name, letter) for letter in set(text)):
            return text, font
    name = next(name for name in (*_FONTS, _BUILT_IN) if _font(name, size) is not None)
    spelled = "".join(
        letter if _has(name, letter) else letter.encode("ascii", "backslashreplace").decode()
        for letter in text
    )
    return spelled, _font(name, size)


@functools.lru_cache(maxsize=256)
def _font(name: str, size: int) -> Any:
    if name == _BUILT_IN:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@functools.lru_cache(maxsize=65536)
def _has(name: str, letter: str) -> bool:
    """Whether a font has a letter: else it draws the sign that it draws for any unknown one."""
    if letter.isspace():
        return True
    font = _font(name, 24)
    unknown, mask = font.getmask("\U0010fffe"), font.getmask(letter)
    return bool(mask.size != unknown.size or bytes(mask) != bytes(unknown))
