"""What all ways from output tensors to detections have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from models.detection.detections import Detections
from models.detection.postprocessing.candidates import Tensors, place
from models.preprocessing import Placement, Preprocessing


class Postprocessing(BaseModel, ABC):
    """The `postprocessing` part of `model.json`, and what it does."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    outputs: ClassVar[tuple[str, ...]]
    """Names of the tensors that it reads."""

    kind: str
    """Which subclass this is."""

    @abstractmethod
    def candidates(self, outputs: Tensors) -> list[Detections]:
        """Pick what may be an object, the surest first.

        Args:
            outputs: the network's.

        Returns:
            For each picture; boxes are left, top, right, bottom as shares of the input's width and
            height, not clipped.
        """

    def place(
        self, candidates: Detections, preprocessing: Preprocessing, placement: Placement
    ) -> Detections:
        """Turn one picture's candidates into detections in its own pixels, clipped to it."""
        return place(candidates, preprocessing.width, preprocessing.height, placement)

    def __call__(
        self, outputs: Tensors, preprocessing: Preprocessing, placements: Sequence[Placement]
    ) -> list[Detections]:
        """Make detections that no threshold has cut.

        Args:
            outputs: the network's.
            preprocessing: gives the input size.
            placements: where each picture lies in the input.

        Returns:
            For each picture, the surest first; boxes are clipped to the picture.
        """
        found = zip(self.candidates(outputs), placements, strict=True)
        return [self.place(one, preprocessing, placement) for one, placement in found]
