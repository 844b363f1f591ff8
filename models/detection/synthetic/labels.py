"""Flat prints: labels that carry a symbol, and things that only look as if they did."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.synthetic.symbols import Symbol
from models.synthetic.textures import (
    Picture,
    Plane,
    blend,
    colour,
    printed,
    rgb,
    smooth,
    text_block,
    words,
    write_line,
)

Points = NDArray[np.float32]
"""Points (x, y), shape (N, 2)."""

_RETAIL = ("ean13", "ean8", "upca")


@dataclass(frozen=True)
class Label:
    """A flat print, lying straight."""

    picture: Picture
    corners: Points | None
    """Corners of the symbol without its quiet zone, clockwise from its top left, shape (4, 2);
    None where there's no symbol."""
    line: Points | None = None
    """Corners of the line under the symbol, likewise; None where none is meant to be read."""
    text: str = ""
    """What the line says."""


def paper_and_ink(
    rng: np.random.Generator, symbol: Symbol, difficulty: float
) -> tuple[Plane, Plane]:
    """Choose the colours that a symbol is printed on and with, BGR."""
    kind = rng.random()
    if kind < 0.55:
        paper = colour(rng, (10, 30), (0, 0.08), (0.85, 1))
    elif kind < 0.8:
        paper = colour(rng, (0, 180), (0.1, 0.45), (0.75, 1))
    else:
        paper = colour(rng, (11, 19), (0.25, 0.45), (0.6, 0.8))  # printed on cardboard
    ink = colour(rng, value=(0.02, 0.22))
    if not symbol.kind.linear and rng.random() < 0.06:
        paper, ink = ink, paper
    # Faded print: ink drifts towards the paper.
    fade = np.float32(rng.beta(1, 3) * 0.9 * difficulty)
    return paper, (1 - fade) * ink + fade * paper


def _symbol_cover(rng: np.random.Generator, symbol: Symbol, length: int) -> Plane:
    """Coverage by ink, 0..1, with the longer side `length` pixels long."""
    modules = symbol.modules
    if symbol.kind.linear:
        ratio = rng.uniform(0.25, 0.7)
        width, height = length, max(8, round(length * ratio))
    else:
        scale = length / max(modules.shape)
        width, height = round(modules.shape[1] * scale), round(modules.shape[0] * scale)
    # Whole pixels a module first, then the area mean: edges fall between pixels as in a photo.
    whole = max(1, -(-length // max(modules.shape)))
    rows = 1 if symbol.kind.linear else whole
    sharp = np.kron(255 - modules, np.ones((rows, whole), np.uint8))
    if symbol.kind.linear:
        line = cv2.resize(sharp, (width, 1), interpolation=cv2.INTER_AREA)
        cover = np.repeat(line, height, axis=0)
    else:
        cover = cv2.resize(sharp, (width, height), interpolation=cv2.INTER_AREA)
    return cover.astype(np.float32) / np.float32(255)


def wear(rng: np.random.Generator, cover: Plane, difficulty: float) -> Plane:
    """Take ink away: patches that rubbed off, streaks of a dirty print head."""
    height, width = cover.shape
    if rng.random() < 0.4 * difficulty:
        patches = smooth(rng, height, width, rng.uniform(4, 14))
        cover = cover * np.clip((patches - rng.uniform(0.0, 0.25)) * 5 + 0.5, 0, 1)
    if rng.random() < 0.3 * difficulty:
        for _ in range(int(rng.integers(1, 4))):
            ends = rng.random((2, 2)) * (width, height)
            (x0, y0), (x1, y1) = ends.astype(int).tolist()
            cv2.line(cover, (x0, y0), (x1, y1), 0.0, max(1, width // 120), cv2.LINE_AA)
    return cover.astype(np.float32)


def symbol_label(rng: np.random.Generator, symbol: Symbol, length: int, difficulty: float) -> Label:
    """Print a symbol, with its quiet zone, on a label among text and colour.

    Args:
        rng: Source of every choice.
        symbol: What to print.
        length: Longer side of the symbol, pixels.
        difficulty: 0 (clean) to 1 (worn and faded).
    """
    paper, ink = paper_and_ink(rng, symbol, difficulty)
    cover = wear(rng, _symbol_cover(rng, symbol, length), difficulty)
    tall, wide = cover.shape
    module = length / max(symbol.modules.shape)
    quiet = max(2, round(symbol.kind.quiet * module * rng.uniform(0.7, 1.2)))
    quiet_y = quiet if not symbol.kind.linear else max(2, round(quiet * rng.uniform(0.3, 0.8)))
    caption = 0
    if symbol.kind.linear and (symbol.symbology in _RETAIL or rng.random() < 0.6):
        caption = max(6, round(rng.uniform(0.08, 0.13) * wide))
    left, right, top, bottom = (
        round(rng.beta(1, 2.5) * share * length) for share in (0.5, 0.5, 0.7, 0.7)
    )
    width = left + wide + 2 * quiet + right
    height = top + tall + 2 * quiet_y + caption + bottom
    if rng.random() < 0.3 and paper.mean() > 120:  # the symbol sits in a white field
        base = colour(rng)
        picture = blend(smooth(rng, height, width, 2), base, 0.85 * base)
        field = (left, top, left + wide + 2 * quiet, top + tall + 2 * quiet_y + caption)
        cv2.rectangle(picture, field[:2], field[2:], rgb(paper), -1)
        print_ink = colour(rng, value=(0.0, 0.25) if base.mean() > 110 else (0.75, 1))
    else:
        picture = np.empty((height, width, 3), np.uint8)
        picture[:] = paper.astype(np.uint8)
        print_ink = ink
    decorate(rng, picture, (left, top, width - right, height - bottom), print_ink)

    x, y = left + quiet, top + quiet_y
    area = picture[y : y + tall, x : x + wide]
    area[:] = (area + cover[..., None] * (ink - area)).astype(np.uint8)
    if caption:
        strip = printed(" ".join(symbol.text) if rng.random() < 0.3 else symbol.text)
        size = min(caption, int(strip.shape[0] * wide / strip.shape[1]))
        taken = round(strip.shape[1] * size / strip.shape[0])
        write_line(picture, symbol.text, x + (wide - taken) // 2, y + tall + 1, size, ink)
    corners = np.array([[x, y], [x + wide, y], [x + wide, y + tall], [x, y + tall]], np.float32)
    return Label(picture, corners)


def decorate(
    rng: np.random.Generator, picture: Picture, field: tuple[int, int, int, int], ink: Plane
) -> None:
    """Print text, rules and logos around the field (x0, y0, x1, y1) that must stay clear."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = field
    pad = 3
    for box in (
        (pad, pad, width - pad, y0 - pad),
        (pad, y1 + pad, width - pad, height - pad),
        (pad, y0, x0 - pad, y1),
        (x1 + pad, y0, width - pad, y1),
    ):
        wide, tall = box[2] - box[0], box[3] - box[1]
        if wide < 12 or tall < 8 or rng.random() < 0.2:
            continue
        choice = rng.random()
        if choice < 0.7:
            line = int(rng.uniform(5, max(6, min(tall, 34))))
            text_block(rng, picture, box, line, ink)
        elif choice < 0.85:
            radius = max(2, min(wide, tall) // 2)
            centre = (box[0] + radius, box[1] + radius)
            cv2.circle(picture, centre, radius, rgb(colour(rng)), -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, box[:2], box[2:], rgb(colour(rng)), -1)
    if rng.random() < 0.3:
        cv2.rectangle(picture, (1, 1), (width - 2, height - 2), rgb(ink), 1)


def clutter_label(rng: np.random.Generator, width: int, height: int) -> Label:
    """Print something that looks like a symbol from afar: bars, grids, checks, columns of text."""
    paper = colour(rng, saturation=(0, 0.4), value=(0.6, 1))
    ink = colour(rng, value=(0.0, 0.4))
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = paper.astype(np.uint8)
    kind = int(rng.integers(7))
    if kind == 0:  # even stripes
        period = int(rng.integers(4, 24))
        bar = max(1, int(period * rng.uniform(0.3, 0.7)))
        on = (np.arange(width) % period) < bar
        picture[:, on] = ink.astype(np.uint8)
    elif kind == 1:  # a fence: few thick bars, rails across
        count = int(rng.integers(3, 9))
        for i in range(count):
            x = (2 * i + 1) * width // (2 * count)
            cv2.line(picture, (x, 0), (x, height), rgb(ink), max(2, width // (count * 3)))
        for y in (height // 5, 4 * height // 5):
            cv2.line(picture, (0, y), (width, y), rgb(ink), max(2, height // 12))
    elif kind == 2:  # a table
        rows, columns = int(rng.integers(3, 9)), int(rng.integers(2, 7))
        for i in range(rows + 1):
            cv2.line(picture, (0, i * height // rows), (width, i * height // rows), rgb(ink), 1)
        for i in range(columns + 1):
            cv2.line(
                picture, (i * width // columns, 0), (i * width // columns, height), rgb(ink), 1
            )
        text_block(rng, picture, (4, 4, width, height), max(5, height // rows - 4), ink)
    elif kind == 3:  # a checkerboard
        cells = int(rng.integers(3, 9))
        y, x = np.mgrid[0:height, 0:width]
        side = max(3, max(width, height) // cells)
        picture[((x // side + y // side) % 2).astype(bool)] = ink.astype(np.uint8)
    elif kind == 4:  # text, set close
        text_block(rng, picture, (4, 4, width - 4, height - 4), int(rng.integers(5, 16)), ink)
    elif kind == 5:  # a colour mosaic, coarser and more colourful than matrix cells
        rows, columns = int(rng.integers(3, 7)), int(rng.integers(3, 7))
        cells3 = rng.integers(0, 256, (rows, columns, 3), np.uint8)
        picture = cv2.resize(cells3, (width, height), interpolation=cv2.INTER_NEAREST)
    else:  # a headline over a plain field
        line = int(np.clip(height * rng.uniform(0.15, 0.4), 6, 60))
        write_line(picture, words(rng, 2), 4, 4, line, ink, bold=True)
        text_block(rng, picture, (4, 8 + line, width - 4, height - 4), max(5, line // 3), ink)
    return Label(picture, None)
