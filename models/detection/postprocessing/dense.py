"""Dense networks (YOLOX, SSD, ATSS): a score and a box for each place, thinned out by NMS."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from models.detection.detections import Detections
from models.detection.postprocessing.base import Postprocessing
from models.detection.postprocessing.candidates import Tensors, dense_candidates


class DensePostprocessing(Postprocessing):
    """The `postprocessing` part of `model.json` for dense networks.

    Of boxes of one class that overlap, only the surest is kept (greedy NMS).
    """

    outputs: ClassVar[tuple[str, ...]] = ("scores", "boxes")

    kind: Literal["dense"] = "dense"
    activation: Literal["none"] = "none"
    """The output `scores` (batch, places, classes) holds confidences between 0 and 1."""
    box_format: Literal["cxcywh"] = "cxcywh"
    """Of the output `boxes` (batch, places, 4): centre x, centre y, width, height."""
    box_units: Literal["relative"] = "relative"
    """Shares of the input's width and height."""
    least_score: float = Field(0.01, ge=0, lt=1)
    """What scores less is no candidate; what a threshold could want lies far above."""
    candidates_before_nms: int = Field(1000, ge=1)
    """Pairs of place and class that NMS looks at in each picture, the surest."""
    nms_iou: float = Field(0.65, gt=0, le=1)
    """A box that overlaps a surer one of its class by more than this IoU is left out."""
    max_detections: int = Field(300, ge=1)
    """Candidates kept in each picture, the surest."""

    def candidates(self, outputs: Tensors) -> list[Detections]:
        """Pick the surest pairs of place and class that don't overlap surer ones."""
        return dense_candidates(
            outputs,
            least_score=self.least_score,
            candidates_before_nms=self.candidates_before_nms,
            nms_iou=self.nms_iou,
            max_detections=self.max_detections,
        )
