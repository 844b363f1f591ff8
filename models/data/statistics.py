"""Figures about the pictures of a dataset, whatever is written down about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.raw import CheckedPicture, ListedT

_QUANTILES = {"min": 0.0, "p05": 0.05, "median": 0.5, "p95": 0.95, "max": 1.0}


def picture_figures(pictures: Sequence[CheckedPicture[ListedT]]) -> dict[str, Any]:
    """Count sizes and files of the same bytes, and describe brightness; JSON-able."""
    digests = Counter(one.facts.digest for one in pictures)
    sizes = Counter(f"{one.facts.width}x{one.facts.height}" for one in pictures)
    return {
        "picture_sizes": dict(sizes.most_common(10)),
        "brightness": spread(np.array([one.facts.brightness for one in pictures]), mean=True),
        "duplicates": sum(count - 1 for count in digests.values()),
    }


def spread(values: NDArray[np.float64], mean: bool = False) -> dict[str, float]:
    """Describe how numbers are spread: least, quantiles, greatest; nothing for no numbers."""
    if not values.size:
        return {}
    figures = {name: float(np.quantile(values, q)) for name, q in _QUANTILES.items()}
    if mean:
        figures["mean"] = float(values.mean())
    return {name: round(value, 4) for name, value in figures.items()}
