"""What dense networks (YOLOX, SSD, ATSS) have in common: a score and a box for each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn

from models.detection.networks.backbones import feature_maps
from models.detection.networks.detector import Detector, Target
from models.detection.networks.freezing import freeze_norms
from models.detection.networks.options import NetworkOptions
from models.detection.networks.overlap import to_corners
from models.detection.postprocessing import DensePostprocessing
from models.package import Output


class DenseDetector(Detector):
    """A network that says for each place of its feature maps what is there.

    Args:
        options: the network's options.
        classes: number of classes.
        places: scores and boxes for each picture of the input size.
    """

    def __init__(self, options: NetworkOptions, classes: int, places: int) -> None:
        super().__init__()
        self.classes = classes
        self._places = places

    def outputs(self) -> tuple[Output, ...]:
        """Describe scores and boxes."""
        return (
            Output(
                name="scores",
                shape=("batch", self._places, self.classes),
                meaning="confidence between 0 and 1 for each place and class",
            ),
            Output(
                name="boxes",
                shape=("batch", self._places, 4),
                meaning="centre x, centre y, width, height as shares of the input size",
            ),
        )

    def postprocessing(self) -> DensePostprocessing:
        """Take the surest places of each class that don't overlap."""
        return DensePostprocessing()


def timm_features(options: NetworkOptions) -> tuple[nn.Module, list[int], list[int]]:
    """Build a timm backbone for a dense network.

    Returns:
        The backbone, and channels and strides of its feature maps, the finest first.

    Raises:
        ValueError: timm has no such backbone, or it has too few feature maps.
    """
    indices, channels, strides = feature_maps(options)
    backbone: nn.Module = timm.create_model(
        options.timm_backbone, features_only=True, out_indices=indices
    )
    if options.freeze_batch_norm:
        freeze_norms(backbone)
    return backbone, channels, strides


def grid(maps: Tensor) -> Tensor:
    """Give x and y of a feature map's places, row by row, [H * W, 2]; steps of 1 from 0.

    In float32 whatever the network runs in: bf16 has no 79.5.
    """
    rows, columns = (
        torch.arange(size, dtype=torch.float32, device=maps.device) for size in maps.shape[-2:]
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def side_of(size: int, stride: int) -> int:
    """Give the places along one side of an input of this size; strided layers round up."""
    return -(-size // stride)


def flatten(maps: Tensor, values: int) -> Tensor:
    """Turn [B, K * values, H, W] into [B, H * W * K, values]: K answers at each place."""
    batch, _, height, width = maps.shape
    return (
        maps.view(batch, -1, values, height, width)
        .permute(0, 3, 4, 1, 2)
        .reshape(batch, -1, values)
    )


def truths(targets: Sequence[Target], like: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Give each picture's class labels [N] and corners [N, 4] in shares of the input."""
    return [(one["class_labels"], to_corners(one["boxes"].to(like))) for one in targets]


def check_finite(*tensors: Tensor) -> None:
    """Refuse to learn from numbers that are none.

    Raises:
        FloatingPointError: one of them isn't finite.
    """
    if not all(bool(torch.isfinite(one).all()) for one in tensors):
        raise FloatingPointError("the network's output is no finite number")


def initialise_head(layer: Any, chance: float = 0.01) -> None:
    """Let a class layer start by saying `chance` everywhere (Lin et al., 2017, arXiv:1708.02002).

    Otherwise the many places without an object would drown the first steps.
    """
    nn.init.constant_(layer.bias, -math.log((1 - chance) / chance))
