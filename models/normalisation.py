"""Make uint8 pictures a network's input on the device: part of training and of every export."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.preprocessing import Preprocessing


class Normalisation(nn.Module):
    """(pixel x scale - mean) / std, as one multiplication and one addition."""

    factor: Tensor
    offset: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        mean, std = torch.tensor([preprocessing.mean, preprocessing.std], dtype=torch.float64)
        for name, value in (("factor", preprocessing.scale / std), ("offset", -mean / std)):
            self.register_buffer(name, value.float().view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise.

        Args:
            images: RGB, uint8 [B, H, W, 3].

        Returns:
            float32 [B, 3, H, W]; channels-last in memory, so that no copy is made on the way.
        """
        return images.permute(0, 3, 1, 2).float() * self.factor + self.offset
