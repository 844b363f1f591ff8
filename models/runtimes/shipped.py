"""The network as it is shipped: pixels in, the tensors that `model.json` names out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.families import family
from models.normalisation import Normalisation
from models.package import ModelCard, ModelPackage
from models.package.weights import read_weights


class ShippedNetwork(nn.Module):
    """Normalisation and network in one: what PyTorch runs and what is exported."""

    def __init__(self, card: ModelCard, network: nn.Module) -> None:
        super().__init__()
        self.normalisation = Normalisation(card.preprocessing)
        self.network: Any = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Run.

        Args:
            images: RGB, uint8 [B, H, W, 3].

        Returns:
            The outputs in the order of `model.json`, batch first.
        """
        outputs: tuple[Tensor, ...] = self.network(self.normalisation(images))
        return outputs


def shipped_network(package: ModelPackage) -> ShippedNetwork:
    """Build the network of a package with its weights, in float32, ready to predict.

    Raises:
        ValueError: the weights are missing or are another network's.
    """
    network = family(package.card.family).network(package.card, read_weights(package))
    shipped = ShippedNetwork(package.card, network).eval().requires_grad_(False)
    return shipped.to(dtype=torch.float32, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
