"""What every reading network can do, whatever it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from models.package import Output

OUTPUT = "log_probs"
"""Name of the one output tensor."""


class Reader(nn.Module, ABC):
    """A network that reads lines: pictures in, log probabilities of characters by step out."""

    steps: int
    """Length of the output sequence at the input size of its options."""
    classes: int
    """Characters and CTC's blank, which comes last."""

    @abstractmethod
    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """Read; traced by the exporters.

        Args:
            pixel_values: normalised pictures, float [B, 3, H, W].

        Returns:
            Logarithms of probabilities, float32 [B, steps, classes].
        """

    @abstractmethod
    def backbone(self) -> nn.Module:
        """Return the part that may have a learning rate of its own."""

    @abstractmethod
    def convolutions(self) -> nn.Module:
        """Return the layers that look around, up to those that see the whole line."""

    def outputs(self) -> tuple[Output, ...]:
        """Describe the tensors of `forward` for `model.json`."""
        return (
            Output(
                name=OUTPUT,
                shape=("batch", self.steps, self.classes),
                meaning="logarithm of each class's probability, from left to right; the last "
                "class is CTC's blank",
            ),
        )
