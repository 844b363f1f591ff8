"""Readings as tensors, as a service sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ocr.readings import Reading


def result_tensors(results: Sequence[Reading]) -> dict[str, NDArray[Any]]:
    """Lay the readings of B pictures out, one for each picture.

    Returns:
        `count` (B,) int32, always 1; `texts` (B,) text, in logical order; `scores` (B,) float32,
        confidence of the whole text; `accepted` (B,) bool, whether it is as sure as the threshold
        asks and its checksum isn't in doubt; `checks` (B,) text, what the checksum says;
        `lengths` (B,) int32, characters of each text; `character_scores` (sum of lengths,) float32,
        confidence of each character of all texts one behind the other.
    """
    characters = [np.zeros(0, np.float32), *(one.characters for one in results)]
    return {
        "count": np.ones(len(results), np.int32),
        "texts": np.array([one.text for one in results], np.object_),
        "scores": np.array([one.confidence for one in results], np.float32),
        "accepted": np.array([one.accepted for one in results], bool),
        "checks": np.array([one.check for one in results], np.object_),
        "lengths": np.array([len(one.text) for one in results], np.int32),
        "character_scores": np.concatenate(characters),
    }
