"""Classifications as tensors, as a service sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classification.naming import Classification


def result_tensors(
    class_names: Sequence[str], results: Sequence[Classification]
) -> dict[str, NDArray[Any]]:
    """Lay the classes named on some pictures one behind the other.

    Args:
        class_names: by index.
        results: of B pictures, with N names together.

    Returns:
        `count` (B,) int32, how many classes each picture is said to show; `scores` (N,) float32;
        `classes` (N,) int64, class index; `names` (N,) text; `confidences` (B, classes) float32.
    """
    named = np.concatenate([np.zeros(0, np.int64), *(one.named for one in results)])
    scores = [one.scores[one.named] for one in results]
    whole = np.zeros((0, len(class_names)), np.float32)
    return {
        "count": np.array([len(one) for one in results], np.int32),
        "scores": np.concatenate([np.zeros(0, np.float32), *scores]),
        "classes": named,
        "names": np.array(class_names, np.object_)[named],
        "confidences": np.concatenate([whole, *(one.scores[None] for one in results)]),
    }
