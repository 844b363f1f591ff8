"""Boxes around masks: COCO's run lengths, plain and compressed.

Format: https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.h: runs of 0 and 1 by
turns, column by column, the first of 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def mask_box(mask: Mapping[str, Any]) -> list[float] | None:
    """Box `xyxy` around a COCO run-length mask, pixels.

    Args:
        mask: `size` (height, width) and `counts`, a list or COCO's text.

    Returns:
        The box, or None if the mask is empty.

    Raises:
        ValueError: it isn't such a mask; the text is the reason.
    """
    size, counts = mask.get("size"), mask.get("counts")
    if not (
        isinstance(size, list)
        and len(size) == 2
        and all(isinstance(side, int) and 0 < side < 1 << 20 for side in size)
    ):
        raise ValueError("its mask says no size in pixels")
    height, width = size
    if isinstance(counts, str):
        counts = _runs(counts)
    if not isinstance(counts, list) or not all(
        isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in counts
    ):
        raise ValueError("its mask has no run lengths")
    if sum(counts) != height * width:
        raise ValueError(f"its mask's runs cover {sum(counts)} pixels of {height * width}")
    ends = np.cumsum(np.array([0, *counts], np.int64))
    starts, stops = ends[1:-1:2], ends[2::2]
    filled = stops > starts
    starts, stops = starts[filled], stops[filled] - 1
    if not len(starts):
        return None
    columns, last_columns = starts // height, stops // height
    one_column = columns == last_columns
    # A run that goes on in the next column touches both the top and the bottom.
    top = np.where(one_column, starts % height, 0).min()
    bottom = np.where(one_column, stops % height, height - 1).max()
    return [float(columns.min()), float(top), float(last_columns.max() + 1), float(bottom + 1)]


def _runs(text: str) -> list[int]:
    """Read COCO's compressed runs: 5 bits a sign, and from the third on differences."""
    runs: list[int] = []
    position = 0
    while position < len(text):
        value = shift = 0
        while True:
            if position >= len(text):
                raise ValueError("its mask's run lengths are cut off")
            sign = ord(text[position]) - 48
            if not 0 <= sign < 64 or shift > 55:
                raise ValueError("its mask's run lengths aren't COCO's")
            position += 1
            value |= (sign & 31) << shift
            shift += 5
            if not sign & 32:
                break
        if sign & 16:  # negative, in two's complement
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
