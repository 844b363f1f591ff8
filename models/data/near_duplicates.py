"""Find pictures that show nearly the same: coded anew, resized, lit otherwise, shifted a little.

Pictures are compared as 16 x 16 thumbnails, all with all: a product of matrices, exact, and 100,000
pictures take a minute or two. What correlates there is looked at again at 64 x 64, moved into
alignment: a small object that is in one of them only must not go under, or every picture of a
camera that stands still would be the same. Limits were chosen on real and drawn pictures
(`tests/benchmarks/bench_duplicates.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models.data.pictures import THUMBNAIL, PictureFacts

ALIKE = 0.95
"""Least correlation of thumbnails that are looked at again; unrelated photos stay below 0.8, and
photos of one thing on one ground reach 0.97."""
DIFFERENT = 0.3
"""Mean difference, in standard deviations of brightness, from which an eighth by an eighth of the
picture shows something else."""
_BLANK = 2.0
"""Standard deviation of brightness below which a thumbnail says nothing, levels."""
_SIDE = 64
_BORDER = 4
"""Pixels at the edge of the aligned 64 x 64 that moving may have laid bare."""
_MOST_CHECKED = 20
"""Pictures that one is compared with again, the most alike first."""
_BLOCK = 1024

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class NearDuplicate:
    """Two pictures that show nearly the same."""

    first: int
    """Index of a picture."""
    second: int
    """Index of a later one."""
    difference: float
    """Largest difference of a part, as `DIFFERENT` counts; 0 for files with the same bytes."""


def find_near_duplicates(
    files: Sequence[Path],
    facts: Sequence[PictureFacts],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[NearDuplicate]:
    """Find pairs that tie all pictures which show nearly the same into groups.

    Of a group of many only so many pairs are named that they hold together. The same pictures in
    the same order give the same pairs.

    Args:
        files: of the pictures; only those that are looked at again are opened.
        facts: of the same pictures.
        progress: told how many are done, of how many.
    """
    groups = _Groups(len(files))
    found = list(_same_bytes(facts, groups))
    grey = np.array([np.frombuffer(one.thumbnail, np.uint8) for one in facts], np.float32)
    grey = grey.reshape(len(facts), THUMBNAIL**2)
    grey -= grey.mean(axis=1, keepdims=True)
    deviation = grey.std(axis=1, keepdims=True)
    grey /= np.maximum(deviation, 1e-6) * THUMBNAIL
    grey[deviation[:, 0] < _BLANK] = 0  # correlates with nothing
    looked_at = lru_cache(maxsize=4096)(lambda index: _grey(files[index]))
    for start in range(0, len(facts), _BLOCK):
        progress(start, len(facts))
        alike = grey[start : start + _BLOCK] @ grey[start:].T
        for row, column in _candidates(alike):
            first, second = start + row, start + column
            if groups.of[first] == groups.of[second]:
                continue
            difference = _difference(looked_at(first), looked_at(second))
            if difference < DIFFERENT:
                groups.join(first, second)
                found.append(NearDuplicate(first, second, round(difference, 3)))
    progress(len(facts), len(facts))
    return sorted(found, key=lambda one: (one.first, one.second))


class _Groups:
    """Which pictures belong together."""

    def __init__(self, count: int) -> None:
        self.of = np.arange(count)

    def join(self, one: int, other: int) -> None:
        self.of[self.of == self.of[other]] = self.of[one]


def _same_bytes(facts: Sequence[PictureFacts], groups: _Groups) -> list[NearDuplicate]:
    seen: dict[str, int] = {}
    found = []
    for index, one in enumerate(facts):
        first = seen.setdefault(one.digest, index)
        if first != index:
            groups.join(first, index)
            found.append(NearDuplicate(first, index, 0.0))
    return found


def _candidates(alike: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Row and column of later pictures that are alike enough, of each row the most alike."""
    rows, columns = np.nonzero(alike >= ALIKE)
    later = columns > rows
    rows, columns = rows[later], columns[later]
    order = np.lexsort((columns, -alike[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = rank < _MOST_CHECKED
    return list(zip(rows[kept].tolist(), columns[kept].tolist(), strict=True))


def _grey(file: Path) -> Grey:
    with Image.open(file) as image:
        image.draft("L", (_SIDE, _SIDE))
        upright = ImageOps.exif_transpose(image).convert("L")
    small = upright.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def _difference(one: Grey, other: Grey) -> float:
    """Largest mean difference of a part after moving, lighting and contrast are put right."""
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, move = cv2.findTransformECC(
            one, other, start.copy(), cv2.MOTION_EUCLIDEAN, (3, 30, 1e-3), None, 3
        )
    except cv2.error:  # it finds no way to move one onto the other
        move = start
    if np.abs(np.asarray(move) - start).max() > _BORDER:
        move = start
    moved = cv2.warpAffine(
        other,
        np.asarray(move),
        (_SIDE, _SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inner = slice(_BORDER, _SIDE - _BORDER)
    parts = [np.asarray(grey, np.float32)[inner, inner] for grey in (one, moved)]
    parts = [(part - part.mean()) / max(float(part.std()), 1.0) for part in parts]
    blocks = (_SIDE - 2 * _BORDER) // 8
    difference = cv2.resize(
        np.abs(parts[0] - parts[1]), (blocks, blocks), interpolation=cv2.INTER_AREA
    )
    return float(difference.max())
