"""Overlap of boxes as tensors, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor


def to_corners(boxes: Tensor) -> Tensor:
    """Turn centre x, centre y, width, height [..., 4] into left, top, right, bottom.

    A width or height below 0, which a network may say early in training, counts as 0.
    """
    half = boxes[..., 2:].clamp(min=0) / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)


def iou_and_giou(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """Compute IoU, and GIoU (Rezatofighi et al., 2019, arXiv:1902.09630), box by box.

    Args:
        one: left, top, right, bottom [..., 4].
        two: likewise, of a shape that broadcasts with `one`.

    Returns:
        Both of the common shape without its last dimension. Two boxes without area have IoU 0.
    """
    area_one, area_two = ((b[..., 2:] - b[..., :2]).prod(-1) for b in (one, two))
    low, high = torch.maximum(one[..., :2], two[..., :2]), torch.minimum(one[..., 2:], two[..., 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    union = (area_one + area_two - inner).clamp(min=1e-9)
    start, end = (
        torch.minimum(one[..., :2], two[..., :2]),
        torch.maximum(one[..., 2:], two[..., 2:]),
    )
    hull = (end - start).prod(-1).clamp(min=1e-9)
    iou = inner / union
    return iou, iou - (hull - union) / hull
