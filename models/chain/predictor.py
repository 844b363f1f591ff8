"""A predictor of two models in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.chain.cutting import cut, turned
from models.chain.options import ReadOptions
from models.families import Presenter
from models.reporting import Image
from models.runtimes import Predictor

Look = Callable[[Sequence[Image]], Sequence[Any]]
"""Pictures in, one result for each out, cut at a threshold that is settled."""


@dataclass(frozen=True, eq=False)
class Chained:
    """What the first model found in a picture, and what the second one saw there."""

    found: Any
    """The first family's result."""
    parts: Sequence[Any]
    """The second family's result for each region of `found`, in the regions' order; None where the
    region has no pixels."""


class Chain:
    """Runs a second model on the regions that a first one finds. For one thread at a time."""

    def __init__(
        self,
        first: Look,
        presenter: Presenter,
        second: Predictor,
        judge: Presenter,
        options: ReadOptions,
    ) -> None:
        """Join two models.

        Args:
            first: the first one's predictor.
            presenter: of the first one; names its regions.
            second: the second one's predictor.
            judge: of the second one; says how sure a result is.
            options: how regions are cut out and turned.
        """
        self._first = first
        self._presenter = presenter
        self._second = second
        self._judge = judge
        self._options = options

    def __call__(self, images: Sequence[Image]) -> list[Chained]:
        """Find regions in pictures (RGB, uint8) of any sizes, and look at each."""
        found = self._first(images)
        regions = [self._presenter.regions(one) for one in found]
        crops = [
            cut(image, region.box, self._options.padding)
            for image, several in zip(images, regions, strict=True)
            for region in several
        ]
        seen = iter(self.look(crops))
        return [
            Chained(one, [next(seen) for _ in several])
            for one, several in zip(found, regions, strict=True)
        ]

    def look(self, crops: Sequence[Image]) -> list[Any]:
        """Let the second model look at some regions, each turned as the options say."""
        ways = [turned(crop, self._options.turns) if crop.size else [] for crop in crops]
        flat = [one for several in ways for one in several]
        seen = iter(self._second(flat, self._options.threshold) if flat else [])
        results: list[Any] = []
        for several in ways:
            tried = [next(seen) for _ in several]
            results.append(max(tried, key=self._sureness) if tried else None)
        return results

    def _sureness(self, result: Any) -> tuple[bool, float]:
        (row, *_) = self._judge.rows(result) or [{}]
        return bool(row.get("accepted", True)), float(row.get("score", 0.0))
