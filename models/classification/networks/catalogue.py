"""Well-known classifiers of timm with the accuracy that timm publishes for their weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A network and the weights its figures are for."""

    name: str
    tag: str
    """Of the weights: `name.tag` in timm."""
    parameters: float
    """Millions, with 1,000 classes."""
    image_size: int
    """Pixels, in the measurement."""
    top1: float
    """Per cent on ImageNet-1k's validation split."""
    top5: float
    licence: str | None = None


CATALOGUE: tuple[Entry, ...] = ()
