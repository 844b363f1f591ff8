"""The networks that a design looks at, by what the lines need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.ocr.design.options import DesignOptions
from models.ocr.design.survey import Survey
from models.ocr.networks.options import NetworkOptions

COMFORT = 1.25
"""Steps of a line for each that its text needs, from which CTC has room to place them."""
_LINE, _WITH_BARS = 32, 80
_MOST = 512
_ROUND = 32
_SIZES = {
    "default": {},
    "larger": {"widths": (48, 96, 160), "depths": (2, 2, 2), "attention": 3},
}
"""Of svtr."""


def input_sizes(found: Survey, options: DesignOptions) -> list[tuple[int, int]]:
    """Choose heights and widths of the input: as wide as 98 % of the lines, and half way there."""
    heights = options.heights
    if not heights:
        heights = (_LINE,) if found.flat else (_WITH_BARS,)
    sizes = []
    for height in heights:
        widths = options.widths
        if not widths:
            wide = float(np.quantile(found.aspects, 0.98)) * height
            least = COMFORT * int(found.steps.max()) * min(options.strides)
            full = _round(max(wide, least))
            widths = tuple(sorted({_round(max(0.6 * wide, least)), full}))
        sizes += [(height, width) for width in widths]
    return sizes


def _round(pixels: float) -> int:
    return min(_MOST, max(_ROUND, -(-int(np.ceil(pixels)) // _ROUND) * _ROUND))


def candidates(found: Survey, options: DesignOptions) -> list[NetworkOptions]:
    """List the networks to look at, whether or not they fit.

    Args:
        found: what the lines need.
        options: which sizes, strides, backbones and stages.
    """
    chosen: list[NetworkOptions] = []
    for height, width in input_sizes(found, options):
        for stride in options.strides:
            size = {"height": height, "width": width, "stride": stride}
            chosen += _svtr(size)
            chosen += _crnn(size, options)
    return chosen


def _svtr(size: dict[str, int]) -> Iterator[NetworkOptions]:
    if size["stride"] <= 8:
        for more in _SIZES.values():
            yield NetworkOptions.model_validate({"name": "svtr", **size, **more})


def _crnn(size: dict[str, int], options: DesignOptions) -> Iterator[NetworkOptions]:
    for backbone in options.backbones:
        for stage in options.stages:
            given = {"name": "crnn", "backbone": backbone, "stage": stage, **size}
            yield NetworkOptions.model_validate(given)
