"""Picking what may be an object out of output tensors. Needs NumPy and OpenCV alone.

Predicting without this project installed runs this very file (`models.deployment`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.placement import Placement, to_pictures

Tensors = Sequence[NDArray[np.float32]]
"""A network's outputs in the order of `model.json`, batch first."""

_GRID = 4096.0
"""Boxes are scaled by this for OpenCV's NMS, which takes a union below 1e-6 for no area at all."""


def query_candidates(outputs: Tensors, *, max_detections: int) -> list[Detections]:
    """Pick the surest pairs of query and class; see `QueryPostprocessing`.

    Args:
        outputs: logits (batch, queries, classes) and boxes (batch, queries, 4): centre x,
            centre y, width, height as shares of the input.
        max_detections: kept in each picture.
    """
    logits, boxes = outputs
    batch, queries, classes = logits.shape
    flat = logits.reshape(batch, queries * classes)
    kept = surest(flat, min(max_detections, flat.shape[1]))
    with np.errstate(over="ignore"):  # exp(90) is inf in float32, and 1 / inf is the right 0
        scores = 1 / (1 + np.exp(-np.take_along_axis(flat, kept, axis=1)))
    query, label = np.divmod(kept, classes)
    corners = to_corners(np.take_along_axis(boxes, query[..., None], axis=1))
    found = zip(corners, scores, label, strict=True)
    return [Detections(box, score, index.astype(np.int64)) for box, score, index in found]


def dense_candidates(
    outputs: Tensors,
    *,
    least_score: float,
    candidates_before_nms: int,
    nms_iou: float,
    max_detections: int,
) -> list[Detections]:
    """Pick the surest pairs of place and class that don't overlap surer ones.

    Args:
        outputs: scores (batch, places, classes), between 0 and 1, and boxes (batch, places, 4):
            centre x, centre y, width, height as shares of the input.
        least_score: what scores less is left out.
        candidates_before_nms: pairs that NMS looks at in each picture, the surest.
        nms_iou: overlap with a surer box of the same class that is still borne.
        max_detections: kept in each picture.
    """

    def thin_out(scores: NDArray[np.float32], boxes: NDArray[np.float32]) -> Detections:
        flat = scores.reshape(-1)
        likely = np.flatnonzero(flat > least_score)
        if not len(likely):
            return Detections.none()
        most = min(candidates_before_nms, len(likely))
        likely = likely[surest(flat[likely][None], most)[0]]
        spot, label = np.divmod(likely, scores.shape[1])
        finite = np.isfinite(boxes[spot]).all(axis=1)  # INT8 or a broken export may give others
        spot, label, sure = spot[finite], label[finite], flat[likely][finite]
        corners = to_corners(boxes[spot])
        kept = _nms(corners, sure, label, nms_iou)[:max_detections]
        return Detections(corners[kept], sure[kept], label[kept].astype(np.int64))

    return [thin_out(one, where) for one, where in zip(*outputs, strict=True)]


def place(candidates: Detections, width: int, height: int, placement: Placement) -> Detections:
    """Turn one picture's candidates into detections in its own pixels, clipped to it.

    Args:
        candidates: with boxes as shares of the input.
        width: of the input, pixels.
        height: of the input, pixels.
        placement: where the picture lies in the input.
    """
    size = np.array([width, height] * 2, np.float32)
    (boxes,) = to_pictures((candidates.boxes * size)[None], [placement])
    return Detections(boxes, candidates.scores, candidates.classes)


def to_corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn centre x, centre y, width, height [..., 4] into left, top, right, bottom."""
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def surest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the `count` greatest of each row [B, N], greatest first, ties by index."""
    if count < scores.shape[1]:
        # Sorting all 24,000 candidates of 300 queries and 80 classes would take ten times as long.
        kept = np.sort(np.argpartition(-scores, count - 1, axis=1)[:, :count], axis=1)
    else:
        kept = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, kept, axis=1), axis=1, kind="stable")
    return np.take_along_axis(kept, order, axis=1)


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
    import cv2

    # Classes are moved apart, each into a range of its own, so that no two of them overlap.
    bounded = corners.astype(np.float64).clip(-2.0, 3.0) * _GRID
    start = bounded[:, :2] + labels[:, None] * (6 * _GRID)
    rectangles = np.concatenate([start, (bounded[:, 2:] - bounded[:, :2]).clip(min=0)], axis=1)
    # OpenCV leaves scores of 0 out, and what comes here is above `least_score` >= 0 already.
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), 0.0, iou)
    return np.asarray(kept, np.int64).reshape(-1)
