"""Put labels into a scene: lay out, tilt in space, light, and keep track of every symbol."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection.synthetic import camera
from models.detection.synthetic.backgrounds import families
from models.detection.synthetic.labels import Label, Points, clutter_label, symbol_label
from models.detection.synthetic.options import BarcodeOptions
from models.detection.synthetic.typeset import typeset_label
from models.synthetic.symbols import Symbol, draw_symbol
from models.synthetic.textures import Picture, shade

_SPLITS = {"train": 0, "val": 1, "test": 2}
_LEGIBLE = 9.0
"""Height from which digits can be read, pixels."""
_CELL = 4
"""Side of a cell of the map of taken ground, pixels."""


@dataclass(frozen=True)
class Placed:
    """A symbol as it lies in the picture."""

    symbol: Symbol
    corners: Points
    """Clockwise from the symbol's own top left, without the quiet zone, shape (4, 2)."""
    text: str = ""
    """What the line under it says, where there is one that can be read."""
    line: Points | None = None
    """Corners of that line, likewise."""

    @property
    def box(self) -> NDArray[np.float64]:
        """Tight axis-aligned bounds `xyxy`, pixels."""
        corners = self.corners.astype(np.float64)
        return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


@dataclass
class Scene:
    """A picture with what is in it."""

    picture: Picture
    background: str
    placed: list[Placed] = field(default_factory=list)


def is_empty(options: BarcodeOptions, split: str, index: int) -> bool:
    """Whether picture `index` of a split has no symbol: spread evenly, so the share is exact."""
    start = np.random.default_rng([options.seed, _SPLITS[split]]).random()
    before, after = (int(np.floor(start + i * options.empty)) for i in (index, index + 1))
    return after > before


def make_scene(options: BarcodeOptions, split: str, index: int) -> Scene:
    """Draw picture `index` of a split; depends on nothing but the arguments."""
    rng = np.random.default_rng([options.seed, _SPLITS[split], index])
    width, height = options.sizes[int(rng.integers(len(options.sizes)))]
    painters = families(split)
    background = list(painters)[int(rng.integers(len(painters)))]
    scene = Scene(painters[background](rng, height, width), background)
    taken = np.zeros((-(-height // _CELL), -(-width // _CELL)), np.uint8)

    empty = is_empty(options, split, index)
    clutter = int(rng.integers(2 if empty else 0, max(options.clutter, 2) + 1))
    for _ in range(min(clutter, options.clutter)):
        wide = int(rng.uniform(0.1, 0.4) * width)
        label = clutter_label(rng, wide, max(16, int(wide * rng.uniform(0.3, 1.2))))
        _place(rng, scene, taken, label, float(wide), options)
    if not empty:
        for _ in range(_count(rng, options.symbols)):
            _add_symbol(rng, scene, taken, options, split)
    scene.picture = camera.shoot(rng, scene.picture, options.difficulty)
    return scene


def _count(rng: np.random.Generator, most: int) -> int:
    chances = 0.7 ** np.arange(most)
    return 1 + int(rng.choice(most, p=chances / chances.sum()))


def _add_symbol(
    rng: np.random.Generator,
    scene: Scene,
    taken: NDArray[np.uint8],
    options: BarcodeOptions,
    split: str,
) -> None:
    symbology = options.symbologies[int(rng.integers(len(options.symbologies)))]
    symbol = draw_symbol(rng, symbology, split, legible=options.lines)
    width = scene.picture.shape[1]
    low, high = np.log(options.smallest), np.log(options.largest)
    # Bars are printed longer than cells: they hold less.
    share = rng.beta(2.2, 1.1) if symbol.kind.linear else rng.beta(1.5, 1.5)
    length = width * float(np.exp(low + (high - low) * share))
    for _ in range(4):
        if options.lines and symbol.kind.linear:
            label = typeset_label(rng, symbol, split, max(8, round(length)), options.difficulty)
        else:
            label = symbol_label(rng, symbol, max(8, round(length)), options.difficulty)
        where = _place(rng, scene, taken, label, length, options)
        if where is not None:
            scene.placed.append(_placed(symbol, label, where))
            return
        length = max(0.7 * length, options.smallest * width)


def _placed(symbol: Symbol, label: Label, where: NDArray[np.float64]) -> Placed:
    """Note where a symbol lies, and its line if people could read it."""
    assert label.corners is not None
    corners = _project(where, label.corners)
    if label.line is None:
        return Placed(symbol, corners)
    line = _project(where, label.line)
    sides = np.linalg.norm(line - np.roll(line, -1, axis=0), axis=1)
    if min(sides[1], sides[3]) < _LEGIBLE:
        return Placed(symbol, corners)
    return Placed(symbol, corners, label.text, line)


def _homography(
    rng: np.random.Generator, label: Label, length: float, width: int, options: BarcodeOptions
) -> NDArray[np.float64]:
    """Tilt a label in space and look at it; its symbol (or itself) ends `length` pixels long."""
    difficulty = options.difficulty
    if options.turn < 180:
        roll = np.deg2rad(rng.uniform(-options.turn, options.turn))
    elif rng.random() < 0.5:  # people hold things about upright
        roll = np.pi / 2 * rng.choice([0, 0, 0, 1, 2, 3]) + rng.normal(0, 0.12)
    else:
        roll = rng.uniform(0, 2 * np.pi)
    reach = np.deg2rad(10 + 70 * difficulty)
    pitch, yaw = reach * (rng.beta(2, 2, 2) * 2 - 1)
    cos, sin = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    about_z = np.array([[cos[0], -sin[0], 0], [sin[0], cos[0], 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cos[1], -sin[1]], [0, sin[1], cos[1]]])
    about_y = np.array([[cos[2], 0, sin[2]], [0, 1, 0], [-sin[2], 0, cos[2]]])
    turn = about_x @ about_y @ about_z
    tall, wide = label.picture.shape[:2]
    scale = length / max(wide, tall)
    if label.corners is not None:
        scale = length / float(np.ptp(label.corners, axis=0).max())
    focal = width * rng.uniform(1.0, 2.0)
    to_plane = np.array([[scale, 0, -scale * wide / 2], [0, scale, -scale * tall / 2], [0, 0, 1]])
    look = np.array(
        [
            [focal * turn[0, 0], focal * turn[0, 1], 0],
            [focal * turn[1, 0], focal * turn[1, 1], 0],
            [turn[2, 0], turn[2, 1], focal],
        ]
    )
    flat: NDArray[np.float64] = look @ to_plane
    if label.corners is not None:
        seen = _project(flat, label.corners)
        sides = np.linalg.norm(seen - np.roll(seen, -1, axis=0), axis=1)
        zoom = length / float(max(sides[0] + sides[2], sides[1] + sides[3]) / 2)
        flat = np.diag([zoom, zoom, 1.0]) @ flat
    return flat


def _project(homography: NDArray[np.float64], points: Points) -> Points:
    seen: Points = cv2.perspectiveTransform(points[None], homography)[0]
    return seen


def _place(
    rng: np.random.Generator,
    scene: Scene,
    taken: NDArray[np.uint8],
    label: Label,
    length: float,
    options: BarcodeOptions,
) -> NDArray[np.float64] | None:
    """Find free ground for a label and paint it there; None if there is none.

    A symbol and its line lie wholly in the picture and no label ever covers them; labels may reach
    out of the picture and cover clutter.

    Returns:
        From the label's pixels to the picture's, 3 x 3.
    """
    height, width = scene.picture.shape[:2]
    flat = _homography(rng, label, length, width, options)
    tall, wide = label.picture.shape[:2]
    outline = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32)
    must_fit = outline if label.corners is None else label.corners
    if label.line is not None:
        must_fit = np.concatenate([must_fit, label.line])
    bounds = _project(flat, must_fit)
    low, high = bounds.min(axis=0), bounds.max(axis=0)
    margin = 2.0
    room = np.array([width, height]) - 2 * margin - (high - low)
    if (room <= 0).any():
        return None
    for _ in range(12):
        shift = margin - low + rng.random(2) * room
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])
        where = move @ flat
        quad = _project(where, outline)
        cover = np.zeros_like(taken)
        cv2.fillConvexPoly(cover, np.round(quad / _CELL).astype(np.int32), 1)
        if (cover & taken).any():
            continue
        if label.corners is not None:
            boxes = np.round(_project(where, must_fit) / _CELL).astype(np.int32)
            x0, y0 = np.maximum(boxes.min(axis=0), 0)
            x1, y1 = boxes.max(axis=0) + 1
            # Later labels keep clear of the symbol's box, not only of its outline.
            if taken[y0:y1, x0:x1].any():
                continue
            taken[y0:y1, x0:x1] = 1
        _paint(rng, scene.picture, label.picture, where, quad)
        return where
    return None


def _paint(
    rng: np.random.Generator,
    picture: Picture,
    label: Picture,
    homography: NDArray[np.float64],
    quad: Points,
) -> None:
    """Draw the label over the picture, with the shadow it throws."""
    height, width = picture.shape[:2]
    spread = int(rng.integers(2, 9))
    x0, y0 = np.maximum(np.floor(quad.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.ceil(quad.max(axis=0)).astype(int) + 3 + 2 * spread
    x1, y1 = min(int(x1), width), min(int(y1), height)
    x0, y0 = int(x0), int(y0)
    if x0 >= x1 or y0 >= y1:
        return
    move = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]])
    size = (x1 - x0, y1 - y0)
    # Continuous coordinates have pixel centres at .5; warpPerspective has them at whole numbers.
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    matrix = half @ move @ homography @ np.linalg.inv(half)
    warped = cv2.warpPerspective(
        label, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros((size[1], size[0]), np.uint8)
    shifted = quad - np.array([x0 + 0.5, y0 + 0.5], np.float32)
    cv2.fillConvexPoly(mask, np.round(shifted * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    area = picture[y0:y1, x0:x1]
    offset = np.array([[1, 0, spread * 0.7], [0, 1, spread * 0.7]], np.float32)
    shadow = cv2.blur(cv2.warpAffine(mask, offset, size), (2 * spread + 1,) * 2)
    light = 1 - np.float32(rng.uniform(0.1, 0.6) / 255) * shadow.astype(np.float32)
    cover = mask.astype(np.float32) / 255
    shaded = shade(area, light)
    area[:] = cv2.blendLinear(warped, shaded, cover, 1 - cover)
