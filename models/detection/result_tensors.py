"""Detections as tensors, as a service sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections


def result_tensors(
    class_names: Sequence[str], results: Sequence[Detections]
) -> dict[str, NDArray[Any]]:
    """Lay the detections of some pictures one behind the other.

    Args:
        class_names: by index.
        results: of B pictures, with N detections together.

    Returns:
        `count` (B,) int32, how many each picture has; `boxes` (N, 4) float32, xyxy, pixels of the
        picture; `scores` (N,) float32; `classes` (N,) int64, class index; `names` (N,) text.
    """
    results = [Detections.none(), *results]  # something to put together, whatever there is
    classes = np.concatenate([found.classes for found in results])
    return {
        "count": np.array([len(found) for found in results[1:]], np.int32),
        "boxes": np.concatenate([found.boxes for found in results]),
        "scores": np.concatenate([found.scores for found in results]),
        "classes": classes,
        "names": np.array(class_names, np.object_)[classes],
    }
