"""What a detector finds in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects found in one picture, the surest first."""

    boxes: NDArray[np.float32]
    """Shape (N, 4), xyxy, pixels of the original picture."""
    scores: NDArray[np.float32]
    """Shape (N,), between 0 and 1."""
    classes: NDArray[np.int64]
    """Shape (N,), class index."""

    @classmethod
    def none(cls) -> Detections:
        """Make the result for a picture with nothing on it."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float | Sequence[float] | NDArray[np.float32]) -> Detections:
        """Keep what is at least as sure as the threshold.

        Args:
            threshold: one score for all, or one for each class index.
        """
        limits = np.asarray(threshold, np.float32)
        return self._pick(self.scores >= (limits[self.classes] if limits.ndim else limits))

    def best(self, count: int) -> Detections:
        """Keep the surest ones, at most `count`."""
        return self._pick(slice(count))

    def _pick(self, which: slice | NDArray[np.bool_]) -> Detections:
        return Detections(self.boxes[which], self.scores[which], self.classes[which])
