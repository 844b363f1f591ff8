"""What a family adds to the code that is shipped with its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Standalone:
    """One model of a family as it is shipped: see `models.deployment.standalone`."""

    model: str
    """Subclass of `StandaloneModel`, as `models.detection.standalone:Detector`; its module and all
    that it imports of ours need NumPy and OpenCV alone."""
    result: str
    """Class of its results, likewise."""
    postprocessing: Mapping[str, Any]
    """Of the model's card with all defaults written out, which shipped code doesn't know."""
    does: str
    """For the README, after "A model that": `finds cats and dogs in pictures`."""
    usage: Sequence[str]
    """Lines of Python for the README that show what `found`, the result of a picture, holds."""


def listed(names: Sequence[str], most: int = 12) -> str:
    """Name what a model tells apart, the first few of many."""
    more = f" and {len(names) - most} more classes" if len(names) > most else ""
    return ", ".join(names[:most]) + more
