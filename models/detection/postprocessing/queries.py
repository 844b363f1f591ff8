"""Networks of queries (DETR and its kin): every query is a candidate, and no NMS is needed."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from models.detection.detections import Detections
from models.detection.postprocessing.base import Postprocessing, Tensors, surest, to_corners


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
        logits, boxes = outputs
        batch, queries, classes = logits.shape
        flat = logits.reshape(batch, queries * classes)
        kept = surest(flat, min(self.max_detections, flat.shape[1]))
        with np.errstate(over="ignore"):  # exp(90) is inf in float32, and 1 / inf is the right 0
            scores = 1 / (1 + np.exp(-np.take_along_axis(flat, kept, axis=1)))
        query, label = np.divmod(kept, classes)
        corners = to_corners(np.take_along_axis(boxes, query[..., None], axis=1))
        found = zip(corners, scores, label, strict=True)
        return [Detections(box, score, index.astype(np.int64)) for box, score, index in found]
