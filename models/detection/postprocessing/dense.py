"""Dense networks (YOLOX, SSD, ATSS): a score and a box for each place, thinned out by NMS."""

from __future__ import annotations

from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.detection.detections import Detections
from models.detection.postprocessing.base import Postprocessing, Tensors, surest, to_corners

_GRID = 4096.0
"""Boxes are scaled by this for OpenCV's NMS, which takes a union below 1e-6 for no area at all."""


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
        scores, boxes = outputs
        return [self._thin_out(one, where) for one, where in zip(scores, boxes, strict=True)]

    def _thin_out(self, scores: NDArray[np.float32], boxes: NDArray[np.float32]) -> Detections:
        """Do it for one picture: scores [places, classes], boxes [places, 4]."""
        flat = scores.reshape(-1)
        likely = np.flatnonzero(flat > self.least_score)
        if not len(likely):
            return Detections.none()
        most = min(self.candidates_before_nms, len(likely))
        likely = likely[surest(flat[likely][None], most)[0]]
        place, label = np.divmod(likely, scores.shape[1])
        finite = np.isfinite(boxes[place]).all(axis=1)  # INT8 or a broken export may give others
        place, label, sure = place[finite], label[finite], flat[likely][finite]
        corners = to_corners(boxes[place])
        kept = _nms(corners, sure, label, self.nms_iou)[: self.max_detections]
        return Detections(corners[kept], sure[kept], label[kept].astype(np.int64))


def _nms(
    corners: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    iou: float,
) -> NDArray[np.int64]:
    """Indices of the boxes that are kept, the surest first.

    Args:
        corners: left, top, right, bottom as shares, [N, 4].
        scores: falling, [N].
        labels: class indices; boxes of different classes don't suppress each other, [N].
        iou: overlap that is still borne.
    """
    # Classes are moved apart, each into a range of its own, so that no two of them overlap.
    bounded = corners.astype(np.float64).clip(-2.0, 3.0) * _GRID
    start = bounded[:, :2] + labels[:, None] * (6 * _GRID)
    rectangles = np.concatenate([start, (bounded[:, 2:] - bounded[:, :2]).clip(min=0)], axis=1)
    # OpenCV leaves scores of 0 out, and what comes here is above `least_score` >= 0 already.
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), 0.0, iou)
    return np.asarray(kept, np.int64).reshape(-1)
