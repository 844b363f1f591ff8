"""Set a line under its bars as the standards say, or as simpler printers do.

EAN and UPC: GS1 General Specifications, section 5.2 (guard bars reach down between the groups of
digits; the first digit, and UPC-A's last, stand outside). Lengths are pixels at which a digit is
`TALL` high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.synthetic.fonts import Face
from models.synthetic.fonts.faces import TALL
from models.synthetic.symbols import Symbol, printed_text

Cover = NDArray[np.uint8]
"""255 where ink is, shape (height, width)."""
_PAD = TALL
"""Paper around the print."""
_CELL = 7
"""Modules under which a digit of EAN and UPC-A stands."""
# First modules of the groups of digits under the bars, and how many digits each has.
_GROUPS = {
    "ean13": ((3, 6), (50, 6)),
    "ean8": ((3, 4), (36, 4)),
    "upca": ((10, 5), (50, 5)),
}
# Modules whose bars reach down: from, to.
_GUARDS = {
    "ean13": ((0, 3), (45, 50), (92, 95)),
    "ean8": ((0, 3), (31, 36), (64, 67)),
    "upca": ((0, 10), (45, 50), (85, 95)),
}


@dataclass(frozen=True)
class Print:
    """A line in black and white, lying straight."""

    cover: Cover
    text: str
    """What it says, without the gaps between groups."""
    line: tuple[int, int, int, int]
    """Frame of the characters, x0, y0, x1, y1."""
    bars: tuple[int, int, int, int]
    """Frame of the bars, without what reaches down between the digits."""

    @property
    def whole(self) -> tuple[int, int, int, int]:
        """Frame of characters and bars."""
        (x0, _, x1, y1), (left, top, right, _) = self.line, self.bars
        return min(x0, left), top, max(x1, right), y1


@dataclass(frozen=True)
class _Set:
    """A character in its place: left end of its advance on the baseline."""

    character: str
    x: float
    scale: float = 1.0


def set_line(rng: np.random.Generator, symbol: Symbol, face: Face, bars: float) -> Print:
    """Set a symbol's line.

    Args:
        rng: Source of every choice.
        symbol: What to set.
        face: The font.
        bars: Height of the bars above the line by their width; 0 for stumps that a crop of the
            line cuts off.
    """
    text = printed_text(symbol)
    count = symbol.modules.shape[1]
    standard = symbol.symbology in _GROUPS and rng.random() < 0.75
    if standard:
        module = _module(rng, face, text)
        placed = _standard(rng, symbol, text, face, module)
    else:
        placed, width = _run(rng, symbol, text, face)
        low, high = (0.85, 1.5) if symbol.symbology in _GROUPS else (0.8, 1.9)
        module = width * float(rng.uniform(low, high)) / count
        start = (count * module - width) / 2
        placed = [_Set(one.character, one.x + start, one.scale) for one in placed]
    reach = module * float(rng.uniform(3, 6)) if standard and rng.random() < 0.8 else 0.0
    gap = (
        float(rng.uniform(0.5, 1.3)) * module if standard else float(rng.uniform(0.08, 0.4)) * TALL
    )
    tall = max(bars * count * module, 0.8 * TALL)
    return _draw(symbol, text, face, placed, module, (tall, gap, reach))


def _module(rng: np.random.Generator, face: Face, text: str) -> float:
    """Width of a module: digits are 8 modules high, give or take, and fit into their cells."""
    widest = max(face.glyph(digit).advance for digit in set(text))
    return max(TALL / float(rng.uniform(6.6, 9.5)), widest / (_CELL - 0.1))


def _standard(
    rng: np.random.Generator, symbol: Symbol, text: str, face: Face, module: float
) -> list[_Set]:
    placed = []
    outside = symbol.symbology != "ean8"
    first = 1 if outside else 0
    for start, digits in _GROUPS[symbol.symbology]:
        for place in range(digits):
            digit = text[first + place]
            room = _CELL * module - face.glyph(digit).advance
            placed.append(_Set(digit, (start + _CELL * place) * module + room / 2))
        first += digits
    if outside:
        small = float(rng.uniform(0.7, 1)) if symbol.symbology == "upca" else 1.0
        away = float(rng.uniform(1.5, 4.5)) * module
        advance = face.glyph(text[0]).advance * small
        placed.insert(0, _Set(text[0], -away - advance, small))
        if symbol.symbology == "upca":
            placed.append(_Set(text[-1], symbol.modules.shape[1] * module + away, small))
    return placed


def _run(
    rng: np.random.Generator, symbol: Symbol, text: str, face: Face
) -> tuple[list[_Set], float]:
    """One character after the other, as simple printers do, maybe in groups."""
    tracking = (
        float(rng.choice([0.02, 0.06, 0.12, 0.25, 0.5], p=[0.3, 0.25, 0.2, 0.15, 0.1])) * TALL
    )
    gaps: set[int] = set()
    if symbol.symbology in _GROUPS and rng.random() < 0.4:
        lengths = [digits for _, digits in _GROUPS[symbol.symbology]]
        outside = symbol.symbology != "ean8"
        gaps = set(np.cumsum([*([1] if outside else []), *lengths]).tolist())
    placed, x = [], 0.0
    for index, character in enumerate(text):
        if index in gaps:
            x += 0.45 * TALL
        placed.append(_Set(character, x))
        x += face.glyph(character).advance + tracking
    return placed, x - tracking


def _draw(
    symbol: Symbol,
    text: str,
    face: Face,
    placed: Sequence[_Set],
    module: float,
    bars: tuple[float, float, float],
) -> Print:
    """Draw bars and characters.

    Args:
        symbol: Its bars start at x = 0.
        text: Of the line.
        face: The font.
        placed: The characters.
        module: Width of a module.
        bars: Height of the bars, the gap under them, and how far guard bars reach down.
    """
    count = symbol.modules.shape[1]
    tall, gap, reach = bars
    ends = [one.x + one.scale * face.glyph(one.character).advance for one in placed]
    left = _PAD - min(0.0, *(one.x for one in placed))
    right = max(count * module, *ends) + _PAD
    base = _PAD + round(tall + gap) + TALL
    cover = np.zeros((base + _PAD, round(left + right)), np.uint8)
    edges = np.round(left + module * np.arange(count + 1)).astype(int)
    row = np.zeros(cover.shape[1], np.uint8)
    row[edges[0] : edges[-1]] = np.repeat(255 - symbol.modules[0], np.diff(edges))
    foot = _PAD + round(tall)
    cover[_PAD:foot] = row
    for start, end in _GUARDS.get(symbol.symbology, ()):
        columns = slice(edges[start], edges[end])
        cover[foot : foot + round(reach), columns] = row[columns]
    frames = []
    for one in placed:
        frame = _stamp(cover, face, one, left, base)
        if frame is not None:
            frames.append(frame)
    corners = np.array(frames)
    line = (*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist())
    return Print(cover, text, line, (int(edges[0]), _PAD, int(edges[-1]), foot))


def _stamp(
    cover: Cover, face: Face, one: _Set, left: float, base: int
) -> tuple[int, int, int, int] | None:
    """Put a character into the cover; the frame of its ink."""
    glyph = face.glyph(one.character)
    ink = glyph.cover
    if not ink.size:
        return None
    if one.scale != 1:
        size = (max(1, round(ink.shape[1] * one.scale)), max(1, round(ink.shape[0] * one.scale)))
        ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
    x = round(left + one.x + glyph.left * one.scale)
    y = base - round(glyph.top * one.scale)
    tall, wide = ink.shape
    area = cover[y : y + tall, x : x + wide]
    np.maximum(area, ink, out=area)
    return x, y, x + wide, y + tall
