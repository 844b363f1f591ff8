"""CRNN: a convolutional backbone, a recurrent network along the line, CTC.

Shi, Bai and Yao, 2015 (arXiv:1507.05717), with any timm backbone in place of VGG.
"""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from models.ocr.networks.eye import eye
from models.ocr.networks.options import NetworkOptions
from models.ocr.networks.reader import Reader
from models.ocr.networks.strides import limit_width_stride


class Crnn(Reader):
    """A timm backbone, cut at a stage, and LSTM or GRU layers along its columns."""

    def __init__(self, options: NetworkOptions, classes: int) -> None:
        """Build it with random weights.

        Raises:
            ValueError: timm has no such backbone, or it doesn't go with the other options.
        """
        super().__init__()
        self.classes = classes
        self.eye = eye(options)
        self.features = cut_backbone(options)
        columns, channels, rows = columns_of(self.features, options)
        self.steps = columns
        self.join = nn.Sequential(
            nn.Linear(channels * rows, options.features), nn.LayerNorm(options.features), nn.GELU()
        )
        self.recurrent = _recurrent(options)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(_width(options), classes)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """Read; see `Reader.forward`."""
        seen = self.eye(pixel_values)
        (found,) = self.features(seen.expand(-1, 3, -1, -1))
        columns = self.join(found.permute(0, 3, 1, 2).flatten(2))
        if self.recurrent is not None:
            columns, _ = self.recurrent(columns)
        return (self.head(self.dropout(columns)).float().log_softmax(-1),)

    def convolutions(self) -> nn.Module:
        """Return all before the recurrent layers; see `Reader.convolutions`."""
        return self.features

    def backbone(self) -> nn.Module:
        """Return the timm backbone."""
        return self.features


def cut_backbone(options: NetworkOptions) -> nn.Module:
    """Make a timm backbone that ends at the chosen stage, its horizontal stride as chosen.

    Raises:
        ValueError: timm has no such backbone, or it has no such stage.
    """
    import timm

    name, device = options.backbone, torch.get_default_device()
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.split(".")[0], timm.list_models(), 3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ValueError(f"network.backbone: timm has no model '{name}'{hint}")
    try:
        with device:
            whole: Any = timm.create_model(name, features_only=True)
            count = len(whole.feature_info.info)
            if options.stage >= count:
                raise ValueError(
                    f"network.stage={options.stage}: '{name}' has the feature maps 0 to {count - 1}"
                )
            backbone: nn.Module = timm.create_model(
                name, features_only=True, out_indices=(options.stage,)
            )
    except (RuntimeError, AttributeError) as error:
        raise ValueError(f"network.backbone: '{name}' gives no feature maps: {error}") from error
    try:
        limit_width_stride(backbone, options.stride, options.rows, options.width)
    except (RuntimeError, AssertionError, ValueError) as error:
        line = str(error).strip().splitlines()[0][:200]
        raise ValueError(
            f"network.backbone: '{name}' doesn't take {options.rows}x{options.width} pixels: {line}"
        ) from error
    return backbone


def columns_of(backbone: nn.Module, options: NetworkOptions) -> tuple[int, int, int]:
    """Say how many columns, channels and rows its feature map has.

    Raises:
        ValueError: it has another horizontal stride than the options ask for.
    """
    device = next(iter(backbone.parameters())).device
    pixels = torch.zeros(1, 3, options.rows, options.width, device=device)
    training = backbone.training
    with torch.no_grad():
        (found,) = backbone.eval()(pixels)
    backbone.train(training)
    _, channels, rows, columns = found.shape
    stride = round(options.width / columns)
    if stride != options.stride:
        raise ValueError(
            f"network.stride={options.stride}: '{options.backbone}' cut at stage {options.stage} "
            f"has a column for each {stride} pixels; choose network.stride={stride} or another "
            f"network.stage"
        )
    return int(columns), int(channels), int(rows)


def _recurrent(options: NetworkOptions) -> nn.Module | None:
    if options.recurrent == "none":
        return None
    kind = nn.LSTM if options.recurrent == "lstm" else nn.GRU
    return kind(
        options.features,
        options.hidden,
        options.layers,
        batch_first=True,
        dropout=options.dropout if options.layers > 1 else 0.0,
        bidirectional=options.bidirectional,
    )


def _width(options: NetworkOptions) -> int:
    if options.recurrent == "none":
        return options.features
    return options.hidden * (2 if options.bidirectional else 1)
