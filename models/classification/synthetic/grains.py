"""Drawing one grain of rice: outline along an arc, rounded body, milky or glassy inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.images import Image


@dataclass(frozen=True)
class Variety:
    """What grains of a variety have in common; each figure is a mean and a usual deviation."""

    name: str
    length: tuple[float, float]
    """As a share of the picture's side."""
    slenderness: tuple[float, float]
    """Length by width."""
    bend: tuple[float, float]
    """How far the middle lies off the line between the tips, as a share of the length."""
    tip: tuple[float, float]
    """Exponent of the outline: 2 is an ellipse, more is blunter."""
    glassiness: tuple[float, float]
    """Share of the ground that shows through the thin parts, 0 to 1."""
    chalk: tuple[float, float]
    """Strength of the white core, 0 to 1."""
    colour: tuple[float, float, float]
    """RGB of the grain under white light, 0 to 1."""


VARIETIES = (
    Variety(
        "Arborio",
        (0.50, 0.03),
        (1.75, 0.09),
        (0.015, 0.01),
        (2.3, 0.15),
        (0.15, 0.06),
        (0.70, 0.12),
        (0.93, 0.91, 0.86),
    ),
    Variety(
        "Basmati",
        (0.70, 0.04),
        (4.30, 0.28),
        (0.055, 0.02),
        (2.1, 0.15),
        (0.40, 0.10),
        (0.08, 0.06),
        (0.90, 0.88, 0.82),
    ),
    Variety(
        "Ipsala",
        (0.60, 0.03),
        (2.25, 0.11),
        (0.020, 0.01),
        (2.5, 0.15),
        (0.50, 0.10),
        (0.12, 0.08),
        (0.95, 0.86, 0.66),
    ),
    Variety(
        "Jasmine",
        (0.62, 0.03),
        (3.20, 0.18),
        (0.030, 0.015),
        (1.8, 0.12),
        (0.62, 0.10),
        (0.05, 0.04),
        (0.90, 0.91, 0.90),
    ),
    Variety(
        "Karacadag",
        (0.44, 0.03),
        (1.42, 0.07),
        (0.010, 0.008),
        (2.2, 0.15),
        (0.30, 0.08),
        (0.35, 0.12),
        (0.90, 0.84, 0.74),
    ),
)
"""After the five of the Rice Image Dataset (Koklu et al., 2021), as people describe them; the
figures are ours."""


def draw_grain(variety: Variety, side: int, overlap: float, light: float, rng: Generator) -> Image:
    """Draw a grain somewhere near the middle, turned any way, on a dark ground.

    Args:
        variety: of the grain.
        side: of the picture, pixels.
        overlap: how far grains differ, a multiple of the usual deviation.
        light: how much light and ground change, 0 to 1.
        rng: the same state makes the same picture.
    """

    def drawn(figure: tuple[float, float], least: float = 0.0) -> float:
        return max(least, figure[0] + overlap * figure[1] * float(rng.standard_normal()))

    length = drawn(variety.length, 0.1) * float(rng.uniform(0.75, 1.2))  # the camera's distance
    width = length / drawn(variety.slenderness, 1.05)
    bend, tip = drawn(variety.bend) * length, drawn(variety.tip, 1.2)
    glassy, chalk = min(drawn(variety.glassiness), 0.9), min(drawn(variety.chalk), 1.0)
    along, across = _grid(side, length, rng)
    across = across - bend * ((2 * along / length) ** 2 - 0.5) * rng.choice([-1.0, 1.0])
    far = np.abs(2 * along / length) ** tip + (2 * across / width) ** 2
    height = np.sqrt(np.clip(1 - far, 0, 1))
    cover = np.clip((1 - far) * width * side / 4 + 0.5, 0, 1)

    lamp = float(rng.uniform(0, 2 * np.pi))
    slope_y, slope_x = np.gradient(height)
    lit = 0.72 + 0.28 * height + 1.5 * (np.cos(lamp) * slope_x + np.sin(lamp) * slope_y)
    core = chalk * np.exp(-((far / 0.45) ** 2)) * _clouds(side, rng)
    ground = np.array([0.05, 0.05, 0.06]) + light * rng.uniform(0, 0.35)
    body = np.array(variety.colour) * lit[..., None]
    body = body * (1 - core[..., None]) + core[..., None] * np.array([1.0, 1.0, 0.98])
    through = (glassy * (1 - 0.6 * core) * (0.45 + 0.55 * (1 - height)))[..., None]
    body = body * (1 - through) + through * (0.35 * body + 0.65 * ground)
    picture = ground + cover[..., None] * (body - ground)

    gain = 1 + light * rng.uniform(-0.45, 0.15)
    tint = 1 + light * rng.uniform(-0.04, 0.04, 3)
    noise = 0.012 * rng.standard_normal(picture.shape, np.float32)
    picture = picture * gain * tint + light * _ramp(side, rng)[..., None] + noise
    return np.asarray(np.clip(picture * 255, 0, 255).round(), np.uint8)


def _grid(
    side: int, length: float, rng: Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Places along and across the grain, in shares of the picture's side from its middle."""
    axis = ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    room = max(0.0, 0.47 - length / 2)
    x, y = x - np.float32(rng.uniform(-room, room)), y - np.float32(rng.uniform(-room, room))
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return x * cos + y * sin, y * cos - x * sin


def _clouds(side: int, rng: Generator) -> NDArray[np.float32]:
    """Soft spots from 0.6 to 1: chalk is never even."""
    import cv2

    coarse = rng.uniform(0.6, 1.0, (6, 6)).astype(np.float32)
    wide = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.asarray(wide, np.float32), 0.5, 1.1)


def _ramp(side: int, rng: Generator) -> NDArray[np.float32]:
    """Light that falls off to one side."""
    axis = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    slope: NDArray[np.float32] = cos * axis[None, :] + sin * axis[:, None]
    return slope * np.float32(rng.uniform(0, 0.2))
