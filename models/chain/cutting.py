"""Cut regions out of a picture for a second model."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from models.reporting import Image

Turns = Literal["none", "tall", "all"]


def cut(image: Image, box: tuple[float, float, float, float], padding: float) -> Image:
    """Cut a box out of a picture.

    Args:
        image: RGB, uint8, (height, width, 3).
        box: xyxy, pixels.
        padding: on each side, as a share of the box's shorter side.

    Returns:
        The part of it that lies in the picture; empty if nothing does.
    """
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return image[:0, :0]
    room = padding * min(right - left, bottom - top)
    height, width = image.shape[:2]
    x0, x1 = max(0, math.floor(left - room)), min(width, math.ceil(right + room))
    y0, y1 = max(0, math.floor(top - room)), min(height, math.ceil(bottom + room))
    return np.ascontiguousarray(image[y0 : max(y0, y1), x0 : max(x0, x1)])


def turned(image: Image, turns: Turns) -> list[Image]:
    """List the ways in which a region is looked at; see `models.chain.options`."""
    height, width = image.shape[:2]
    quarters: tuple[int, ...] = (0,)
    if turns != "none" and height > width:
        quarters = (1, 3)
    elif turns == "all":
        quarters = (0, 2)
    return [np.ascontiguousarray(np.rot90(image, quarter)) for quarter in quarters]
