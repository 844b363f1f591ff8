"""Where a picture lies in the network's input, and the way back. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Shape (..., 4), xyxy, pixels; the corner of the first pixel is (0, 0), not its centre."""


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the network's input."""

    scale_x: float
    """Input pixels for one picture pixel; exact, so it includes the rounding of the inner size."""
    scale_y: float
    left: int
    """Input pixels left of the picture."""
    top: int
    height: int
    """Of the original picture, pixels."""
    width: int

    def to_input(self, boxes: Boxes) -> Boxes:
        """Move boxes (xyxy) from pixels of the picture to pixels of the input."""
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        moved: Boxes = boxes * scale + np.array([self.left, self.top] * 2, np.float32)
        return moved

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Move boxes (xyxy) from pixels of the input to pixels of the picture, clipped to it."""
        return np.asarray(to_pictures(np.asarray(boxes)[None], [self])[0], np.float32)


def to_pictures(boxes: Boxes, placements: Sequence[Placement]) -> Boxes:
    """Undo the resize for a batch at once.

    Args:
        boxes: shape (B, N, 4), xyxy, pixels of the input.
        placements: of the B pictures.

    Returns:
        Shape (B, N, 4), xyxy, pixels of each picture, clipped to it.
    """
    table = np.array(
        [(p.left, p.top, p.scale_x, p.scale_y, p.width, p.height) for p in placements], np.float32
    ).reshape(-1, 1, 6)
    offset, scale, size = (np.tile(table[..., i : i + 2], 2) for i in (0, 2, 4))
    moved: Boxes = np.clip((boxes - offset) / scale, np.float32(0), size)
    return moved
