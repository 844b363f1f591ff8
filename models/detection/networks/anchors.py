"""Boxes said as corrections of anchors (Faster R-CNN: Ren et al., 2015, arXiv:1506.01497)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

DEVIATIONS = (0.1, 0.1, 0.2, 0.2)
"""What a correction of 1 stands for: a tenth of the anchor's side, and e to the 0.2 in size."""
_MOST_GROWTH = math.log(1000 / 16)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Say how an anchor must change to become a box.

    Args:
        boxes: centre x, centre y, width, height [..., 4].
        anchors: likewise, in the same unit.
    """
    moved = (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    grown = torch.log(boxes[..., 2:].clamp(min=1e-6) / anchors[..., 2:])
    return torch.cat([moved, grown], -1) / boxes.new_tensor(DEVIATIONS)


def decode(corrections: Tensor, anchors: Tensor) -> Tensor:
    """Change anchors [A, 4] by corrections [..., A, 4]; growth is bounded against overflow."""
    moved, grown = (corrections * corrections.new_tensor(DEVIATIONS)).chunk(2, -1)
    centre = anchors[:, :2] + moved * anchors[:, 2:]
    return torch.cat([centre, anchors[:, 2:] * grown.clamp(max=_MOST_GROWTH).exp()], -1)
