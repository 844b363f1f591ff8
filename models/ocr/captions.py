"""A reading written below its picture. Needs NumPy and Pillow alone."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from models.drawing import Colour, writable
from models.images import Image
from models.ocr.readings import Reading

RIGHT, WRONG, UNSURE = (0, 200, 80), (230, 60, 60), (255, 170, 0)
"""Colours of readings that are right, that are wrong, and that aren't accepted."""
PAPER = (24, 24, 28)
"""What texts are written on."""


def read_below(image: Image, result: Reading) -> Image:
    """Put the text below its picture: green if accepted, orange if not, red if empty."""
    colour = RIGHT if result.accepted else UNSURE if result.text else WRONG
    check = f"  {result.check}" if result.check else ""
    return captioned(image, f"{result.text or '(nothing)'}  {result.confidence:.2f}{check}", colour)


def captioned(image: Image, text: str, colour: Colour) -> Image:
    """Put a strip with a text below a picture, which keeps its size."""
    width = image.shape[1]
    size = max(12, min(40, image.shape[0] // 3))
    shown, font = writable(text, size)
    strip = Pillow.new("RGB", (width, size + 8), PAPER)
    draw = ImageDraw.Draw(strip)
    # A long text gets smaller letters rather than losing its end.
    while size > 8 and draw.textlength(shown, font) > width - 6:
        size -= 1
        shown, font = writable(text, size)
    draw.text((3, 2), shown, colour, font)
    return np.concatenate([image, np.asarray(strip, np.uint8)])
