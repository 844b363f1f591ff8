"""Where the line lies in a picture that shows more than it, such as a barcode with its digits.

A small network that reads all rows of such a picture spends most of its work on bars. Bars have
edges to the left and right; letters have them above and below too, row after row. So the band that
holds most edges of that kind is found by counting, over all slopes, and only it is read.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_CELL = 8
"""Columns that are counted as one, pixels."""
_STEEPEST = 0.3
"""Of the slopes that are tried, rows for each column of the network's input."""
_SLOPES = 21
_FULL = 1.5
"""Difference between two rows from which on more counts no more: bars end in one strong edge."""


class LineBand(nn.Module):
    """Cuts the band with most edges between rows out of a picture, and lays it level.

    It learns nothing. Slopes are tried as in Hough's transform; columns move by whole pixels.
    """

    places: Tensor
    slopes: Tensor

    def __init__(self, height: int, width: int, rows: int) -> None:
        """Make it for one size of pictures.

        Args:
            height: of the pictures, pixels.
            width: of the pictures, pixels; a multiple of 8.
            rows: of the band.
        """
        super().__init__()
        self.height, self.width, self.rows = height, width, rows
        self.reach = int(_STEEPEST * width / 2) + 1
        columns = width // _CELL
        slopes = torch.linspace(-_STEEPEST, _STEEPEST, _SLOPES)
        middles = torch.arange(columns) * _CELL + (_CELL - width) / 2
        rises = (slopes[:, None] * middles).round().long() + self.reach
        # Place of each [slope, row, column] in a picture that is `reach` rows higher at both ends.
        starts = torch.arange(height)[None, :, None] + rises[:, None]
        places = starts * columns + torch.arange(columns)
        self.register_buffer("places", places.flatten(), persistent=False)
        self.register_buffer("slopes", slopes, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Cut it out.

        Args:
            pixels: local contrast, float [B, 1, height, width].

        Returns:
            float [B, 1, rows, width].
        """
        slope, row = self.find(pixels)
        across = torch.arange(self.width, device=pixels.device) - (self.width - 1) / 2
        down = torch.arange(self.rows, device=pixels.device) - (self.rows - 1) / 2
        wanted = (row[:, None] + slope[:, None] * across)[:, None] + down[:, None]
        found = torch.gather(pixels[:, 0], 1, wanted.round().long().clamp(0, self.height - 1))
        return found[:, None]

    def find(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Say where the band lies.

        Returns:
            Slope, rows for each column, and the row of its middle in the picture's middle; both
            float [B].
        """
        edges = (pixels[:, :, 1:] - pixels[:, :, :-1]).abs().clamp_max(_FULL)
        # Roots: many rows with some edges are a line, few with many are where bars end.
        cells = functional.avg_pool2d(edges, (1, _CELL)).sqrt()
        half = self.rows // 4
        boxes = functional.avg_pool2d(cells, (2 * half + 1, 1), 1, (half, 0))
        # Not before the means: tools join padding with those, and then their kernels are too small.
        padded = functional.pad(boxes, (0, 0, self.reach, self.reach + 1))
        tried = torch.index_select(padded.flatten(1), 1, self.places)
        sums = tried.reshape(-1, _SLOPES * self.height, self.width // _CELL).sum(2)
        best = sums.argmax(1)
        slope = torch.index_select(self.slopes, 0, best // self.height)
        return slope, (best % self.height).to(pixels.dtype)
