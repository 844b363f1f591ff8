"""Faces: one weight of a font family, each character as a picture."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from models.synthetic.fonts.families import font_files

TALL = 64
"""Height of a digit in the pictures of glyphs, pixels."""
_WEIGHTS = (400, 500, 600, 700)
_WEIGHT_AXIS = b"Weight"


@dataclass(frozen=True)
class Glyph:
    """A character as a picture; the pen stands at (0, 0) on the baseline."""

    cover: NDArray[np.uint8]
    """255 where ink is, shape (height, width); empty for a blank."""
    left: int
    """From the pen to the picture's left edge, pixels."""
    top: int
    """From the baseline up to the picture's upper edge, pixels."""
    advance: float
    """How far the pen moves on, pixels."""


@dataclass
class Face:
    """One weight of a family, its digits `TALL` pixels high. May be used from several threads."""

    family: str
    weight: int
    font: ImageFont.FreeTypeFont
    _glyphs: dict[str, Glyph] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def glyph(self, character: str) -> Glyph:
        """Draw a character, once."""
        if character not in self._glyphs:
            with self._lock:  # FreeType draws one at a time
                self._glyphs[character] = self._draw(character)
        return self._glyphs[character]

    def has(self, character: str) -> bool:
        """Whether the font holds a character: else it draws the sign for any unknown one."""
        unknown, glyph = self.glyph("\U0010fffe").cover, self.glyph(character).cover
        return character == " " or not np.array_equal(unknown, glyph)

    def _draw(self, character: str) -> Glyph:
        mask, (left, top) = self.font.getmask2(character, mode="L", anchor="ls")
        width, height = mask.size
        cover = np.array(mask, np.uint8).reshape(height, width)
        return Glyph(cover, int(left), int(-top), float(self.font.getlength(character)))


@functools.lru_cache(maxsize=256)
def faces(font: str) -> Sequence[Face]:
    """Open the weights of a family, regular to bold.

    Args:
        font: A name of `FAMILIES`, or the path of a font file.

    Raises:
        ValueError: no such font, or a file that is none.
    """
    found = []
    for file in font_files(font):
        if file.weight is not None:
            if file.weight <= _WEIGHTS[-1]:
                found.append(_open(font, file.path, file.weight, None))
            continue
        axes = _axes(file.path)
        if not axes:
            found.append(_open(font, file.path, 400, None))
            continue
        for weight in _WEIGHTS:
            values = [
                float(weight) if axis["name"] == _WEIGHT_AXIS else float(str(axis["default"]))
                for axis in axes
            ]
            found.append(_open(font, file.path, weight, values))
    return tuple(found)


def _axes(path: Path) -> list[dict[str, object]]:
    try:
        return list(ImageFont.truetype(str(path), 12).get_variation_axes())  # type: ignore[arg-type]
    except OSError:
        return []


def _open(family: str, path: Path, weight: int, axes: Sequence[float] | None) -> Face:
    def at(size: float) -> ImageFont.FreeTypeFont:
        # The plain layout: whether the other one is there depends on the machine.
        font = ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
        if axes is not None:
            font.set_variation_by_axes(list(axes))
        return font

    try:
        trial = at(200)
        _, top, _, bottom = trial.getbbox("8", anchor="ls")
        return Face(family, weight, at(200 * TALL / max(1, bottom - top)))
    except OSError as error:
        raise ValueError(f"{path} can't be read as a font: {error}") from None
