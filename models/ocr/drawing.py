"""Pictures of readings: the crop, below it the truth and what was read, with its confidences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from models.drawing import writable
from models.ocr.captions import PAPER, RIGHT, UNSURE, WRONG
from models.ocr.metrics.edits import edit_distances
from models.reporting import Image

_INK, _PALE = (235, 235, 235), (150, 150, 160)
_WIDTH, _CROP, _LINE = 480, 64, 22
"""Pixels: width of a panel, height of the crop in it, height of a line of text."""


@dataclass(frozen=True)
class Panel:
    """What is shown of one line."""

    image: Image
    """The crop, of any size."""
    text: str
    """What was read."""
    confidence: float
    characters: NDArray[np.float32]
    """Confidence of each character."""
    truth: str | None = None
    note: str = ""
    """Such as what the checksum says."""
    accepted: bool = True


def panel(one: Panel) -> Image:
    """Draw a line: the crop, the truth, the reading with a bar for each character's confidence."""
    lines = 2 if one.truth is not None else 1
    canvas = Pillow.new("RGB", (_WIDTH, _CROP + (lines + 1) * _LINE + 8), PAPER)
    canvas.paste(Pillow.fromarray(_fitted(one.image)), (0, 0))
    draw = ImageDraw.Draw(canvas)
    row = _CROP + 2
    if one.truth is not None:
        _write(draw, 4, row, f"truth  {one.truth}", _PALE)
        row += _LINE
    right = one.truth is None or one.truth == one.text
    colour = WRONG if not right else RIGHT if one.accepted else UNSURE
    said = f"read   {one.text or '(nothing)'}"
    note = f"  {one.note}" if one.note else ""
    edits = (
        ""
        if right or one.truth is None
        else f"  {edit_distances([one.truth], [one.text])[0]} edits"
    )
    _write(draw, 4, row, f"{said}   {one.confidence:.3f}{edits}{note}", colour)
    _bars(draw, row + _LINE, one)
    return np.asarray(canvas, np.uint8)


def sheet(panels: Sequence[Panel], columns: int = 2) -> Image:
    """Draw several lines in one picture."""
    drawn = [panel(one) for one in panels]
    tallest = max(one.shape[0] for one in drawn)
    rows = -(-len(drawn) // columns)
    page = np.full((rows * tallest, columns * _WIDTH, 3), PAPER, np.uint8)
    for place, one in enumerate(drawn):
        top, left = place // columns * tallest, place % columns * _WIDTH
        page[top : top + one.shape[0], left : left + _WIDTH] = one
    return page


def bare_sheet(images: Sequence[Image], columns: int = 4) -> Image:
    """Put pictures of one size side by side, such as the network's inputs."""
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    page = np.full((rows * (height + 2), columns * (width + 2), 3), PAPER, np.uint8)
    for place, one in enumerate(images):
        top, left = place // columns * (height + 2), place % columns * (width + 2)
        page[top : top + height, left : left + width] = one
    return page


def _fitted(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = min(_CROP / height, _WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _write(
    draw: ImageDraw.ImageDraw, left: int, top: int, text: str, colour: tuple[int, int, int]
) -> None:
    shown, font = writable(text, 14)
    draw.text((left, top), shown, colour, font)


def _bars(draw: ImageDraw.ImageDraw, top: int, one: Panel) -> None:
    """Draw the characters' confidences, each with its character."""
    if not one.text:
        return
    wide = min(26, (_WIDTH - 8) // len(one.text))
    for place, (letter, sure) in enumerate(zip(one.text, one.characters.tolist(), strict=True)):
        left = 4 + place * wide
        colour = RIGHT if sure >= 0.9 else UNSURE if sure >= 0.5 else WRONG
        reach = max(1, round((wide - 3) * sure))
        draw.rectangle((left, top + 18, left + reach, top + 21), fill=colour)
        if wide >= 9:
            shown, font = writable(letter, 12)
            draw.text((left, top + 2), shown, _INK, font)
