"""From a network's raw output to detections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.preprocessing import Placement, Preprocessing


def decode(
    logits: NDArray[np.float32],
    boxes: NDArray[np.float32],
    preprocessing: Preprocessing,
    placement: Placement,
    most: int = 300,
) -> Detections:
    """Turn the output for one picture into detections that no threshold has cut.

    As in Deformable DETR, every pair of query and class is a candidate, with the sigmoid of its
    logit for a score; the surest ones are kept.

    Args:
        logits: (queries, classes).
        boxes: (queries, 4), centre x, centre y, width, height as shares of the input size.
        preprocessing: gives the input size.
        placement: where the picture lies in the input.
        most: candidates kept.
    """
    scores = 1.0 / (1.0 + np.exp(-logits.reshape(-1)))
    order = np.argsort(-scores, kind="stable")[:most]
    queries, classes = np.divmod(order, logits.shape[1])
    size = np.array([preprocessing.width, preprocessing.height], np.float32)
    centres, extents = boxes[queries, :2] * size, boxes[queries, 2:] * size
    corners = np.concatenate([centres - extents / 2, centres + extents / 2], axis=1)
    return Detections(
        boxes=placement.to_picture(corners).astype(np.float32),
        scores=scores[order].astype(np.float32),
        classes=classes.astype(np.int64),
    )
