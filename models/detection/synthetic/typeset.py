"""Labels whose symbols have a line under them that can be read."""

from __future__ import annotations

import cv2
import numpy as np

from models.detection.synthetic.labels import Label, Points, decorate, paper_and_ink, wear
from models.synthetic.fonts import FAMILIES, faces
from models.synthetic.symbols import Symbol
from models.synthetic.textures import Plane
from models.synthetic.typesetting import set_line

_ROOM = 0.12
"""Paper around bars and line, in lengths of the symbol."""


def typeset_label(
    rng: np.random.Generator, symbol: Symbol, split: str, length: int, difficulty: float
) -> Label:
    """Print a linear symbol with its line, on a label among text and colour.

    Args:
        rng: Source of every choice.
        symbol: What to print.
        split: Says which fonts may be used.
        length: Width of the bars, pixels.
        difficulty: 0 (clean) to 1 (worn and faded).

    Raises:
        ValueError: the fonts aren't installed.
    """
    fonts = [family.name for family in FAMILIES.values() if family.split == split]
    weights = faces(fonts[int(rng.integers(len(fonts)))])
    face = weights[int(rng.integers(len(weights)))]
    flat = set_line(rng, symbol, face, float(rng.uniform(0.25, 0.7)))
    scale = length / (flat.bars[2] - flat.bars[0])
    x0, y0, x1, y1 = flat.whole
    # One shrinking for all keeps bars and digits in their places to a fraction of a pixel.
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    small = cv2.resize(flat.cover[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    cover: Plane = small.astype(np.float32) / np.float32(255)

    paper, ink = paper_and_ink(rng, symbol, difficulty)
    worn = wear(rng, cover, difficulty)
    # Bars may be rubbed off; a digit that nobody sees is no truth to learn.
    top = round((flat.line[1] - y0) * scale)
    worn[top:] = np.maximum(worn[top:], np.float32(0.4) * cover[top:])
    room = max(3, round(_ROOM * length))
    left, right, above, below = (
        round(rng.beta(1, 2.5) * share * length) for share in (0.4, 0.4, 0.6, 0.6)
    )
    tall, wide = cover.shape
    height, width = above + tall + 2 * room + below, left + wide + 2 * room + right
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = paper.astype(np.uint8)
    decorate(rng, picture, (left, above, width - right, height - below), ink)
    x, y = left + room, above + room
    area = picture[y : y + tall, x : x + wide]
    area[:] = (area + worn[..., None] * (ink - area)).astype(np.uint8)

    def corners(frame: tuple[int, int, int, int]) -> Points:
        a, b, c, d = frame
        square = np.array([[a, b], [c, b], [c, d], [a, d]], np.float64) - [x0, y0]
        found: Points = (square * np.array(size) / [x1 - x0, y1 - y0] + [x, y]).astype(np.float32)
        return found

    return Label(picture, corners(flat.bars), corners(flat.line), flat.text)
