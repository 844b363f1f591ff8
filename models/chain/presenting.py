"""How the results of two models in a row are shown and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from models.chain.predictor import Chained
from models.drawing import draw_boxes
from models.families import Presenter, Region
from models.reporting import Image


@runtime_checkable
class Captioning(Protocol):
    """A presenter that can say in a few words what a picture shows."""

    def caption(self, result: Any) -> str:
        """Say it; empty for nothing worth saying."""


class ChainPresenter:
    """Shows regions with what the second model saw in them, and writes both in one row."""

    def __init__(self, first: Presenter, second: Presenter) -> None:
        """Join two presenters.

        Args:
            first: names regions; `rows` and `coco` have an entry for each of them, in their order.
            second: has exactly one row for each region, and a caption.

        Raises:
            ValueError: the second one's results aren't about whole pictures.
        """
        if not isinstance(second, Captioning):
            raise ValueError(
                "the second model must say one thing about each region, as a reader does"
            )
        self._first, self._second = first, second
        self._caption = second.caption
        self.classes: Sequence[str] = first.classes
        self.categories: Sequence[dict[str, Any]] = first.categories
        self._names = {
            name: f"read_{name}" if name in first.columns else name for name in second.columns
        }
        self.columns: Sequence[str] = (*first.columns, *self._names.values())
        self.writes: Collection[str] = first.writes

    def draw(self, image: Image, result: Chained) -> Image:
        """Draw each region with its name and what was seen in it, the surest on top."""
        regions = list(self._first.regions(result.found))
        captions = [
            f"{region.label} {region.score:.2f} {self._said(part)}".rstrip()
            for region, part in zip(regions, result.parts, strict=True)
        ]
        colours = [self._first.colour(region.label) for region in regions]
        boxes = [region.box for region in regions]
        return draw_boxes(image, boxes[::-1], captions[::-1], colours[::-1])

    def tally(self, result: Chained) -> Mapping[str, int]:
        """Count what the first model found."""
        return self._first.tally(result.found)

    def colour(self, name: str) -> tuple[int, int, int]:
        """Give the first model's colour."""
        return self._first.colour(name)

    def regions(self, result: Chained) -> Sequence[Region]:
        """Name the first model's regions."""
        return self._first.regions(result.found)

    def rows(self, result: Chained) -> Sequence[dict[str, Any]]:
        """Make a row of each region: the first model's values, then the second one's."""
        return [
            {**row, **self._read(part)}
            for row, part in zip(self._first.rows(result.found), result.parts, strict=True)
        ]

    def yolo(self, result: Chained, height: int, width: int, scores: bool) -> Sequence[str]:
        """Write the first model's lines."""
        return self._first.yolo(result.found, height, width, scores)

    def coco(self, result: Chained) -> Sequence[dict[str, Any]]:
        """Make the first model's annotations, with what was seen under `attributes`."""
        return [
            {**entry, "attributes": self._read(part)}
            for entry, part in zip(self._first.coco(result.found), result.parts, strict=True)
        ]

    def _said(self, part: Any) -> str:
        return "" if part is None else self._caption(part)

    def _read(self, part: Any) -> dict[str, Any]:
        if part is None:
            return dict.fromkeys(self._names.values())
        (row,) = self._second.rows(part)
        return {self._names[name]: value for name, value in row.items()}
