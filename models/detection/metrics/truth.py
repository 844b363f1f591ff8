"""What is on a picture, for metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Truth:
    """The labelled objects of one picture."""

    boxes: NDArray[np.float32]
    """Shape (N, 4), xyxy, pixels of the original picture."""
    classes: NDArray[np.int64]
    """Shape (N,), class index."""

    def __len__(self) -> int:
        return len(self.classes)
