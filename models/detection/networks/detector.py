"""What every detection network can do, whatever it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from models.detection.postprocessing import Postprocessing
from models.package import Output
from models.training.smoothing import ClassLoss

Target = dict[str, Tensor]
"""`class_labels`: int64 [N]; `boxes`: float32 [N, 4], centre x, centre y, width, height as shares
of the input size."""


class Detector(nn.Module, ABC):
    """A detection network as one module: pictures in, the tensors of `outputs` out.

    The inference view is `forward`; training calls `losses`.
    """

    class_loss: ClassLoss = "sigmoid"
    """How `losses` turns class logits into confidences; label smoothing acts accordingly on
    `binary_cross_entropy_with_logits` over [..., classes], or on `cross_entropy`."""

    @abstractmethod
    def forward(self, pixel_values: Tensor) -> tuple[Tensor, ...]:
        """Detect; traced by the exporters.

        Args:
            pixel_values: normalised pictures, float [B, 3, H, W].

        Returns:
            The tensors that `outputs` describes, batch first.
        """

    @abstractmethod
    def losses(self, pixel_values: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Compute the weighted loss parts by readable name; their sum is the loss.

        It is computed in float32 whatever the network runs in: bf16 has 8 bits, too few for boxes.

        Args:
            pixel_values: normalised pictures, float [B, 3, H, W].
            targets: one for each picture; a picture may have none.

        Raises:
            FloatingPointError: the network's output is no finite number.
        """

    @abstractmethod
    def backbone(self) -> nn.Module:
        """Return the backbone, which may have a learning rate of its own."""

    @abstractmethod
    def outputs(self) -> tuple[Output, ...]:
        """Describe the tensors of `forward` for `model.json`."""

    @abstractmethod
    def postprocessing(self) -> Postprocessing:
        """Say how they become detections, for `model.json`."""
