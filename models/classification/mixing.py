"""Mixup and CutMix: pictures of a batch and their targets mixed in pairs, on the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Beta

from models.classification.augmentation_options import AugmentationOptions


def mix(images: Tensor, targets: Tensor, options: AugmentationOptions) -> tuple[Tensor, Tensor]:
    """Mix a batch; torch's own generator decides, which the loop seeds for each batch.

    Args:
        images: float [B, 3, H, W].
        targets: [B, classes], shares of each class.
        options: `mixup` and `cutmix`; with both, one is drawn.

    Returns:
        Pictures and targets of the same shapes; the same tensors if neither is on.
    """
    cut = options.cutmix > 0
    if cut and options.mixup > 0:
        cut = bool(torch.rand(()) < 0.5)
    alpha = options.cutmix if cut else options.mixup
    if not alpha or len(images) < 2:
        return images, targets
    share = float(Beta(alpha, alpha).sample())
    other = torch.randperm(len(images)).to(images.device)
    if cut:
        images, share = _cut(images, other, share)
    else:
        images = torch.lerp(images[other], images, share)
    return images, torch.lerp(targets[other], targets, share)


def _cut(images: Tensor, other: Tensor, share: float) -> tuple[Tensor, float]:
    """Replace a rectangle of each picture; returns the share that is really left."""
    height, width = images.shape[2:]
    side = math.sqrt(1 - share)
    y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
    top, bottom = max(0, y - int(height * side) // 2), min(height, y + int(height * side) // 2)
    left, right = max(0, x - int(width * side) // 2), min(width, x + int(width * side) // 2)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[other, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)
