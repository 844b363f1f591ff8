"""What networks of queries (DETR and its kin) have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.detection.networks.detector import Detector, Target
from models.detection.postprocessing import QueryPostprocessing
from models.package import Output


class QueryDetector(Detector):
    """A network of `transformers`: logits and boxes of a fixed number of queries.

    Args:
        network: the `...ForObjectDetection` module.
        deciding_layer: the decoder layer whose answer counts; the last by default. Later ones
            only help training.
    """

    def __init__(self, network: nn.Module, deciding_layer: int = -1) -> None:
        super().__init__()
        self.network: Any = network
        self.deciding_layer = deciding_layer

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Detect; see `outputs` for what comes out."""
        outputs = self.network.model(pixel_values)
        layer = self.deciding_layer
        return (
            outputs.intermediate_logits[:, layer],
            outputs.intermediate_reference_points[:, layer],
        )

    def backbone(self) -> nn.Module:
        """Return the backbone, which may have a learning rate of its own."""
        model = self.network.model
        found: nn.Module = model.backbone if hasattr(model, "backbone") else model.conv_encoder
        return found

    def outputs(self) -> tuple[Output, ...]:
        """Describe logits and boxes."""
        queries, classes = self.network.config.num_queries, self.network.config.num_labels
        return (
            Output(
                name="logits",
                shape=("batch", queries, classes),
                meaning="one for each query and class, for a sigmoid",
            ),
            Output(
                name="boxes",
                shape=("batch", queries, 4),
                meaning="centre x, centre y, width, height as shares of the input size",
            ),
        )

    def postprocessing(self) -> QueryPostprocessing:
        """Take the surest pairs of query and class."""
        return QueryPostprocessing()


class DenoisingDetector(QueryDetector):
    """A network of queries that learns to repair noisy boxes besides (RT-DETR, D-FINE)."""

    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts.

        The sum runs over the final queries, every decoder layer, the encoder's proposals and the
        denoising queries.
        """
        outputs = self.network.model(pixel_values, labels=targets)
        if not bool(torch.isfinite(outputs.intermediate_reference_points).all()):
            raise FloatingPointError("the network's boxes are no finite numbers")
        with torch.autocast(pixel_values.device.type, enabled=False):
            return self.set_losses(outputs, targets)

    @abstractmethod
    def set_losses(self, outputs: Any, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the parts from what the model of `transformers` says in training, in float32."""


def gather(by_name: dict[str, Tensor], readable: Mapping[str, str]) -> dict[str, Tensor]:
    """Sum loss parts over layers: `loss_vfl`, `loss_vfl_aux_0`, `loss_vfl_dn_1`, ... are one.

    Args:
        by_name: the parts as `transformers` names them.
        readable: the word after `loss_` to our name of it.
    """
    parts: dict[str, Tensor] = {}
    for name, value in by_name.items():
        part = readable[name.split("_")[1]]
        parts[part] = parts[part] + value if part in parts else value
    return parts
