"""What a reader sees: how much darker or lighter each pixel is than what lies around it.

Ink is ink by its contrast to the paper beside it. A network that gets colours has to learn first
that light, shadow and the colours of both mean nothing.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

_CELL = 8
"""Side of the squares, in pixels, whose means stand for all their pixels. Boxes around every pixel
were fourteen times as slow, a fifth of a small network's training."""
_AROUND = 5
"""Side of what counts as around, in cells: about as high as a line usually is."""
_EVEN = 0.03
"""Deviation below which surroundings are paper: of pixels that go from -1 to 1, four grey levels.
Their noise isn't blown up to the contrast of ink."""


class LocalContrast(nn.Module):
    """Takes the mean of its surroundings from each pixel's lightness and divides by their spread.

    Local contrast normalisation (Jarrett et al., 2009, "What is the best multi-stage architecture
    for object recognition?"), with boxes in place of a Gaussian.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise.

        Args:
            pixels: normalised pictures, float [B, 3, H, W]; height and width are multiples of 8.

        Returns:
            float [B, 1, H, W], about 0 on average and of a deviation of about 1.
        """
        light = pixels.float().mean(1, keepdim=True)
        apart = light - _around(light)
        spread = _around(apart * apart).sqrt()
        found: Tensor = apart / (spread + _EVEN)
        return found


def _around(values: Tensor) -> Tensor:
    """Mean of what lies around each place, as far as it is in the picture; [B, 1, H, W]."""
    cells = functional.avg_pool2d(values, _CELL)
    boxes = functional.avg_pool2d(cells, _AROUND, 1, _AROUND // 2, count_include_pad=False)
    return functional.interpolate(boxes, scale_factor=_CELL, mode="bilinear", align_corners=False)
