"""What a reader looks at: contrast in place of colours, and the band where the line lies."""

from __future__ import annotations

from torch import nn

from models.ocr.networks.band import LineBand
from models.ocr.networks.contrast import LocalContrast
from models.ocr.networks.options import NetworkOptions


def eye(options: NetworkOptions) -> nn.Sequential:
    """Make the first layers of a reader; they learn nothing, and without options are none.

    They take normalised pictures [B, 3, height, width] and give them as they are, or their contrast
    [B, 1, height or band, width].
    """
    layers: list[nn.Module] = []
    if options.contrast == "local":
        layers.append(LocalContrast())
    if options.band:
        layers.append(LineBand(options.height, options.width, options.band))
    return nn.Sequential(*layers)
