"""Print a line: what paper, ink and printer do to it."""

from __future__ import annotations

import cv2
import numpy as np

from models.synthetic.fonts.faces import TALL
from models.synthetic.textures import Picture, Plane, blend, colour, fractal, shade, smooth
from models.synthetic.typesetting import Cover


def wear(rng: np.random.Generator, cover: Cover, difficulty: float) -> Cover:
    """Spread or thin the ink, print in dots, rub it off in places.

    Args:
        rng: Source of every choice.
        cover: Of a line whose digits are `TALL` pixels high.
        difficulty: 0 (as drawn) to 1.
    """
    if rng.random() < 0.3 + 0.4 * difficulty:
        reach = 1 + int(rng.integers(0, 2 + round(3 * difficulty)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        # Thin strokes would go: ink that spreads is the likelier.
        change = cv2.dilate if rng.random() < 0.65 or reach > 3 else cv2.erode
        cover = np.asarray(change(cover, kernel), np.uint8)
    if rng.random() < 0.3:
        cover = _dots(rng, cover)
    if rng.random() < 0.5 * difficulty:
        height, width = cover.shape
        patches = smooth(rng, height, width, rng.uniform(3, 12))
        kept = np.clip((patches - rng.uniform(0.0, 0.25)) * 5 + 0.5, 0.25, 1)
        cover = (cover * kept).astype(np.uint8)
    if rng.random() < 0.3 * difficulty:
        # A dirty print head leaves lines across: thin beside the digits.
        for _ in range(int(rng.integers(1, 3))):
            y = int(rng.integers(0, cover.shape[0]))
            cover[y : y + int(rng.integers(1, TALL // 16 + 1))] //= 3
    return cover


def _dots(rng: np.random.Generator, cover: Cover) -> Cover:
    """Print in whole dots, as a thermal printer of 203 dots an inch does."""
    dots = float(rng.uniform(17, 34))
    height, width = cover.shape
    size = (max(8, round(width * dots / TALL)), max(8, round(height * dots / TALL)))
    small = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
    _, small = cv2.threshold(small, 110, 255, cv2.THRESH_BINARY)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def ink_on_paper(rng: np.random.Generator, cover: Cover, difficulty: float) -> Picture:
    """Colour a print, BGR: dark on light as a rule, with enough contrast to be read."""
    paper, ink = _colours(rng, difficulty)
    if rng.random() < 0.06:
        paper, ink = ink, paper
    picture = blend(cover.astype(np.float32) / np.float32(255), paper, ink)
    if rng.random() < 0.5:
        height, width = cover.shape
        grain = 1 + np.float32(0.02 + 0.1 * difficulty * rng.random()) * (
            fractal(rng, height, width, rng.uniform(3, 30), 3) - 0.5
        )
        picture = shade(picture, grain)
    return picture


def _colours(rng: np.random.Generator, difficulty: float) -> tuple[Plane, Plane]:
    kind = rng.random()
    if kind < 0.55:
        paper = colour(rng, (10, 30), (0, 0.08), (0.85, 1))
    elif kind < 0.85:
        paper = colour(rng, (0, 180), (0.05, 0.5), (0.7, 1))
    else:
        paper = colour(rng, (11, 19), (0.25, 0.45), (0.6, 0.8))  # cardboard
    if rng.random() < 0.8:
        ink = colour(rng, saturation=(0, 0.4), value=(0.0, 0.2))
    else:
        ink = colour(rng, value=(0.15, 0.4))
    fade = np.float32(rng.beta(1, 2.5) * 0.7 * difficulty)
    return paper, (1 - fade) * ink + fade * paper
