"""Networks of queries (DETR and its kin): every query is a candidate, and no NMS is needed."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from models.detection.detections import Detections
from models.detection.postprocessing.base import Postprocessing
from models.detection.postprocessing.candidates import Tensors, query_candidates


class QueryPostprocessing(Postprocessing):
    """The `postprocessing` part of `model.json` for networks of queries.

    As in Deformable DETR (Zhu et al., 2021, arXiv:2010.04159) every pair of query and class is a
    candidate, with the sigmoid of its logit for a score; the surest are kept, without NMS.
    """

    outputs: ClassVar[tuple[str, ...]] = ("logits", "boxes")

    kind: Literal["detr"] = "detr"
    activation: Literal["sigmoid"] = "sigmoid"
    """Turns the output `logits` (batch, queries, classes) into independent scores."""
    box_format: Literal["cxcywh"] = "cxcywh"
    """Of the output `boxes` (batch, queries, 4): centre x, centre y, width, height."""
    box_units: Literal["relative"] = "relative"
    """Shares of the input's width and height."""
    max_detections: int = Field(300, ge=1)
    """Candidates kept in each picture, the surest."""

    def candidates(self, outputs: Tensors) -> list[Detections]:
        """Pick the surest pairs of query and class."""
        return query_candidates(outputs, max_detections=self.max_detections)
