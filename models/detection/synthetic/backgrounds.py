"""Procedural backgrounds, in families that belong to either training or test.

Train and val draw from `SEEN`, test from `UNSEEN` only: a detector that learned backgrounds by
heart shows it on the test split.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from models.synthetic.textures import (
    Picture,
    Plane,
    blend,
    colour,
    fractal,
    normal,
    rgb,
    shade,
    smooth,
    stretched,
    text_block,
)

Painter = Callable[[np.random.Generator, int, int], Picture]
"""Paints a background of the given (height, width)."""


def _gradient(rng: np.random.Generator, height: int, width: int) -> Picture:
    value = (0.15, 0.9)
    picture = blend(
        smooth(rng, height, width, rng.uniform(1, 4)),
        colour(rng, value=value),
        colour(rng, value=value),
    )
    return shade(picture, 0.92 + 0.16 * fractal(rng, height, width, 40, 3))


def _cardboard(rng: np.random.Generator, height: int, width: int) -> Picture:
    base = colour(rng, (11, 19), (0.25, 0.5), (0.5, 0.8))
    flutes = stretched(rng, height, width, int(rng.integers(20, 70)), 2)
    fibres = stretched(rng, height, width, height // 2, width // 12)
    picture = blend(
        0.3 * flutes + 0.3 * fibres + 0.4 * smooth(rng, height, width, 4),
        0.78 * base,
        np.minimum(1.12 * base, 255),
    )
    if rng.random() < 0.5:  # packing tape
        y = int(rng.integers(0, height))
        tall = int(rng.uniform(0.08, 0.2) * height)
        band = picture[y : y + tall].astype(np.float32)
        picture[y : y + tall] = (0.75 * band + 0.25 * colour(rng, (10, 25))).astype(np.uint8)
    if rng.random() < 0.6:  # the edge of a flap
        x = int(rng.integers(0, width))
        cv2.line(
            picture,
            (x, 0),
            (x + int(rng.integers(-40, 40)), height),
            rgb(0.5 * base),
            2,
            cv2.LINE_AA,
        )
    return picture


def _box_front(
    rng: np.random.Generator, picture: Picture, x0: int, y0: int, x1: int, y1: int
) -> None:
    """Paint the front of a product: two colours, a few shapes, maybe print."""
    area = picture[max(y0, 0) : y1, max(x0, 0) : x1]
    if area.shape[0] < 8 or area.shape[1] < 8:
        return
    tall, wide = area.shape[:2]
    area[:] = blend(stretched(rng, tall, wide, 2, 2), colour(rng), colour(rng))
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(0, wide)), int(rng.integers(0, tall)))
        if rng.random() < 0.5:
            axes = (int(rng.uniform(0.1, 0.5) * wide) + 1, int(rng.uniform(0.05, 0.3) * tall) + 1)
            cv2.ellipse(
                area,
                centre,
                axes,
                float(rng.uniform(0, 180)),
                0,
                360,
                rgb(colour(rng)),
                -1,
                cv2.LINE_AA,
            )
        else:
            corner = (centre[0] + int(0.5 * wide), centre[1] + int(rng.uniform(0.05, 0.3) * tall))
            cv2.rectangle(area, centre, corner, rgb(colour(rng)), -1)
    if rng.random() < 0.7:
        line = int(rng.integers(5, max(6, tall // 5)))
        y = int(rng.integers(0, tall))
        text_block(rng, area, (wide // 8, y, wide - wide // 8, y + 3 * line), line, colour(rng))


def _shelf(rng: np.random.Generator, height: int, width: int) -> Picture:
    picture = blend(
        smooth(rng, height, width, 2), colour(rng, value=(0.1, 0.3)), colour(rng, value=(0.2, 0.5))
    )
    rail = colour(rng, saturation=(0, 0.3), value=(0.5, 0.95))
    y = -int(rng.integers(0, height // 3))
    while y < height:
        tall = int(rng.uniform(0.25, 0.6) * height)
        x = -int(rng.integers(0, 60))
        while x < width:
            wide = int(rng.uniform(0.08, 0.3) * width)
            if rng.random() < 0.9:
                _box_front(rng, picture, x, y + int(rng.uniform(0, 0.3) * tall), x + wide, y + tall)
            x += wide + int(rng.integers(0, 8))
        thick = int(rng.integers(8, 34))
        picture[max(0, y + tall) : max(0, y + tall + thick)] = rail.astype(np.uint8)
        y += tall + thick
    return picture


def _desk(rng: np.random.Generator, height: int, width: int) -> Picture:
    base = colour(rng, saturation=(0.0, 0.5), value=(0.3, 0.9))
    picture = blend(fractal(rng, height, width, 3, 4), 0.8 * base, np.minimum(1.15 * base, 255))
    for _ in range(int(rng.integers(3, 10))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = (float(rng.uniform(0.05, 0.4) * width), float(rng.uniform(0.02, 0.3) * height))
        angle = float(rng.uniform(0, 180))
        points = cv2.boxPoints((centre, size, angle)).astype(np.int32)
        shadow = rgb(0.45 * base)
        if rng.random() < 0.6:
            cv2.fillConvexPoly(picture, points + 6, shadow, cv2.LINE_AA)
            cv2.fillConvexPoly(picture, points, rgb(colour(rng)), cv2.LINE_AA)
        else:
            radii = (int(size[0] / 2) + 1, int(size[1]) + 1)
            lower = (centre[0] + 5, centre[1] + 5)
            cv2.ellipse(picture, lower, radii, angle, 0, 360, shadow, -1, cv2.LINE_AA)
            cv2.ellipse(picture, centre, radii, angle, 0, 360, rgb(colour(rng)), -1, cv2.LINE_AA)
            inner = (radii[0] * 3 // 4, radii[1] * 3 // 4)
            cv2.ellipse(picture, centre, inner, angle, 0, 360, rgb(colour(rng)), -1, cv2.LINE_AA)
    return picture


def _page(rng: np.random.Generator, height: int, width: int) -> Picture:
    base = colour(rng, (10, 30), (0.0, 0.15), (0.75, 0.97))
    picture = blend(smooth(rng, height, width, 3), 0.92 * base, base)
    ink = colour(rng, saturation=(0, 0.3), value=(0.05, 0.35))
    line = int(rng.integers(8, 18))
    columns = int(rng.integers(1, 4))
    gap = width // (columns * 10)
    for i in range(columns):
        x0, x1 = i * width // columns + gap, (i + 1) * width // columns - gap
        y = int(rng.integers(0, 40))
        while y < height:
            tall = int(rng.uniform(0.1, 0.4) * height)
            if rng.random() < 0.8:
                text_block(rng, picture, (x0, y, x1, min(y + tall, height)), line, ink)
            else:
                _box_front(rng, picture, x0, y, x1, min(y + tall, height))
            y += tall + line
    return picture


def _slats(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Blinds, fences, radiators: bars of one width that run through the whole picture."""
    period = rng.uniform(10, 60)
    angle = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.15)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    along = x * np.float32(np.cos(angle) / period) + y * np.float32(np.sin(angle) / period)
    along += np.float32(rng.uniform(0, 0.4)) * smooth(rng, height, width, 2)
    wave = np.abs((along % 1) - 0.5) * 2
    share, soft = rng.uniform(0.25, 0.75), rng.uniform(3, 12)
    plane = np.clip((wave - share) * soft + 0.5, 0, 1).astype(np.float32)
    picture = blend(plane, colour(rng, value=(0.1, 0.5)), colour(rng, value=(0.4, 0.95)))
    return shade(picture, 0.8 + 0.3 * smooth(rng, height, width, 4))


def _tiles(rng: np.random.Generator, height: int, width: int) -> Picture:
    step_x, step_y = int(rng.integers(24, 120)), int(rng.integers(24, 120))
    rows, columns = height // step_y + 2, width // step_x + 2
    cells = rng.random((rows, columns), dtype=np.float32) ** np.float32(rng.uniform(0.5, 3))
    plane = np.kron(cells, np.ones((step_y, step_x), np.float32))
    x, y = int(rng.integers(0, step_x)), int(rng.integers(0, step_y))
    plane = plane[y : y + height, x : x + width]
    base = colour(rng, value=(0.3, 0.9))
    picture = blend(plane, rng.uniform(0.5, 0.95) * base, np.minimum(1.1 * base, 255))
    grout = rgb(colour(rng, saturation=(0, 0.2)))
    thick = int(rng.integers(1, 6))
    for gy in range(step_y - y, height, step_y):
        cv2.line(picture, (0, gy), (width, gy), grout, thick)
    for gx in range(step_x - x, width, step_x):
        cv2.line(picture, (gx, 0), (gx, height), grout, thick)
    return shade(picture, 0.85 + 0.25 * fractal(rng, height, width, 6, 3))


def _fabric(rng: np.random.Generator, height: int, width: int) -> Picture:
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    drift = 4 * smooth(rng, height, width, 3)
    weave = np.sin(x / np.float32(rng.uniform(0.6, 4)) + drift)
    weave = weave * np.sin(y / np.float32(rng.uniform(0.6, 4)) + drift)
    folds = fractal(rng, height, width, rng.uniform(2, 5), 3)
    base = colour(rng)
    return blend(0.5 + 0.15 * weave + 0.9 * (folds - 0.5), 0.5 * base, np.minimum(1.3 * base, 255))


def _wood(rng: np.random.Generator, height: int, width: int) -> Picture:
    base = colour(rng, (6, 18), (0.3, 0.7), (0.35, 0.8))
    grain = stretched(rng, height, width, height // 3, width // 80)
    rings = smooth(rng, height, width, 3) * 12
    rings += 0.6 * stretched(rng, height, width, height // 8, 3)
    wave: Plane = np.sin(rings)
    picture = blend(0.45 * grain + 0.275 * (1 + wave), 0.7 * base, np.minimum(1.1 * base, 255))
    board = int(rng.integers(50, 200))
    for y in range(int(rng.integers(0, board)), height, board):
        picture[y : y + 2] = (0.3 * base).astype(np.uint8)
        tone = np.float32(rng.uniform(0.85, 1.1))
        picture[y + 2 : y + board] = np.clip(picture[y + 2 : y + board] * tone, 0, 255)
    return cv2.rotate(picture, cv2.ROTATE_180) if rng.random() < 0.5 else picture


def _concrete(rng: np.random.Generator, height: int, width: int) -> Picture:
    base = colour(rng, saturation=(0, 0.12), value=(0.35, 0.8))
    plane = fractal(rng, height, width, 4, 6) + 0.06 * normal(rng, (height, width))
    picture = blend(plane, 0.7 * base, np.minimum(1.2 * base, 255))
    for _ in range(int(rng.integers(0, 4))):  # cracks
        steps = rng.normal(0, 14, (30, 2)) + rng.normal(0, 10, 2)
        points = np.cumsum(steps, axis=0) + rng.random(2) * (width, height)
        cv2.polylines(picture, [points.astype(np.int32)], False, rgb(0.4 * base), 1, cv2.LINE_AA)
    return picture


def _bricks(rng: np.random.Generator, height: int, width: int) -> Picture:
    base = colour(rng, (0, 15), (0.2, 0.7), (0.35, 0.8))
    mortar = colour(rng, saturation=(0, 0.2), value=(0.4, 0.85))
    picture = blend(smooth(rng, height, width, 5), 0.9 * mortar, mortar)
    tall = int(rng.integers(22, 60))
    wide, gap = int(tall * rng.uniform(2, 3)), int(rng.integers(2, 6))
    for row, y in enumerate(range(0, height, tall)):
        for x in range(-(wide // 2) * (row % 2), width, wide):
            tone = np.minimum(base * rng.uniform(0.75, 1.2), 255)
            cv2.rectangle(picture, (x, y), (x + wide - gap, y + tall - gap), rgb(tone), -1)
    return shade(picture, 0.75 + 0.4 * fractal(rng, height, width, 25, 3))


def _spines(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Books on a board: upright bars of many colours and widths."""
    picture = np.zeros((height, width, 3), np.uint8)
    floor = int(height * rng.uniform(0.8, 1.1))
    x = 0
    while x < width:
        wide = int(rng.integers(12, 70))
        top = int(rng.uniform(0, 0.3) * height)
        base = colour(rng)
        round_spine = 0.65 + 0.4 * np.sin(np.linspace(0.2, np.pi - 0.2, wide))
        spine = np.minimum(round_spine[None, :, None] * base, 255).astype(np.uint8)
        area = picture[top:floor, x : x + wide]
        area[:] = spine[:, : area.shape[1]]
        band = int(rng.uniform(0.1, 0.9) * area.shape[0])
        area[band : band + int(rng.integers(3, 24))] = colour(rng).astype(np.uint8)
        if wide > 20 and rng.random() < 0.7 and area.shape[1] == wide:
            upright = np.ascontiguousarray(np.rot90(area))
            text_block(
                rng,
                upright,
                (20, wide // 4, upright.shape[1] - 20, wide - wide // 6),
                wide // 2,
                colour(rng, value=(0.6, 1)),
            )
            area[:] = np.rot90(upright, -1)
        x += wide
    if floor < height:
        picture[floor:] = colour(rng, (6, 18)).astype(np.uint8)
    return shade(picture, 0.8 + 0.3 * smooth(rng, height, width, 3))


def _foliage(rng: np.random.Generator, height: int, width: int) -> Picture:
    """A garden out of focus: blobs of green and light."""
    hue = (25, 75)
    picture = blend(
        fractal(rng, height, width, 6, 4),
        colour(rng, hue, value=(0.05, 0.25)),
        colour(rng, hue, value=(0.4, 0.8)),
    )
    layer = picture.copy()
    for _ in range(int(rng.integers(20, 60))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(6, 50)), int(rng.integers(4, 24)))
        tint = rgb(colour(rng, hue, (0.2, 0.8), (0.2, 0.95)))
        cv2.ellipse(layer, centre, axes, float(rng.uniform(0, 180)), 0, 360, tint, -1, cv2.LINE_AA)
    mixed = cv2.addWeighted(picture, 0.35, layer, 0.65, 0)
    soft: Picture = cv2.blur(mixed, (int(rng.integers(1, 9)),) * 2)
    return soft


SEEN: dict[str, Painter] = {
    "gradient": _gradient,
    "cardboard": _cardboard,
    "shelf": _shelf,
    "desk": _desk,
    "page": _page,
    "slats": _slats,
    "tiles": _tiles,
    "fabric": _fabric,
}
UNSEEN: dict[str, Painter] = {
    "wood": _wood,
    "concrete": _concrete,
    "bricks": _bricks,
    "spines": _spines,
    "foliage": _foliage,
}


def families(split: str) -> dict[str, Painter]:
    """The backgrounds that `split` may show."""
    return UNSEEN if split == "test" else SEEN
