"""What all ways from output tensors to detections have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.detection.detections import Detections
from models.preprocessing import Placement, Preprocessing, to_pictures

Tensors = Sequence[NDArray[np.float32]]
"""A network's outputs in the order of `model.json`, batch first."""


class Postprocessing(BaseModel, ABC):
    """The `postprocessing` part of `model.json`, and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    outputs: ClassVar[tuple[str, ...]]
    """Names of the tensors that it reads."""

    kind: str
    """Which subclass this is."""

    @abstractmethod
    def candidates(self, outputs: Tensors) -> list[Detections]:
        """Pick what may be an object, the surest first.

        Args:
            outputs: the network's.

        Returns:
            For each picture; boxes are left, top, right, bottom as shares of the input's width and
            height, not clipped.
        """

    def place(
        self, candidates: Detections, preprocessing: Preprocessing, placement: Placement
    ) -> Detections:
        """Turn one picture's candidates into detections in its own pixels, clipped to it."""
        size = np.array([preprocessing.width, preprocessing.height] * 2, np.float32)
        (boxes,) = to_pictures((candidates.boxes * size)[None], [placement])
        return Detections(boxes, candidates.scores, candidates.classes)

    def __call__(
        self, outputs: Tensors, preprocessing: Preprocessing, placements: Sequence[Placement]
    ) -> list[Detections]:
        """Make detections that no threshold has cut.

        Args:
            outputs: the network's.
            preprocessing: gives the input size.
            placements: where each picture lies in the input.

        Returns:
            For each picture, the surest first; boxes are clipped to the picture.
        """
        found = zip(self.candidates(outputs), placements, strict=True)
        return [self.place(one, preprocessing, placement) for one, placement in found]


def to_corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn centre x, centre y, width, height [..., 4] into left, top, right, bottom."""
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def surest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the `count` greatest of each row [B, N], greatest first, ties by index."""
    if count < scores.shape[1]:
        # Sorting all 24,000 candidates of 300 queries and 80 classes would take ten times as long.
        kept = np.sort(np.argpartition(-scores, count - 1, axis=1)[:, :count], axis=1)
    else:
        kept = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, kept, axis=1), axis=1, kind="stable")
    return np.take_along_axis(kept, order, axis=1)
