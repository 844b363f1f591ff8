"""What is on a picture, for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.detection.dataset import Labels


def _no_boxes() -> NDArray[np.float32]:
    return np.zeros((0, 4), np.float32)


def _no_classes() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Truth:
    """The labelled objects of one picture."""

    boxes: NDArray[np.float32]
    """Shape (N, 4), xyxy, pixels of the original picture."""
    classes: NDArray[np.int64]
    """Shape (N,), class index."""
    crowd_boxes: NDArray[np.float32] = field(default_factory=_no_boxes)
    """Shape (M, 4): regions of uncounted objects (COCO's `iscrowd`). They needn't be found, and
    what is found in them is neither right nor false."""
    crowd_classes: NDArray[np.int64] = field(default_factory=_no_classes)
    """Shape (M,), class index."""

    def __len__(self) -> int:
        return len(self.classes)


def truths_of(labels: Labels) -> list[Truth]:
    """Give the labelled objects of each picture."""
    parts = (labels.boxes, labels.labels, labels.crowd_boxes, labels.crowd_labels)
    return [Truth(*one) for one in zip(*parts, strict=True)]
