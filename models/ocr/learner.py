"""Teaching a reader: batches to the device, CTC's loss, raw predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.normalisation import Normalisation
from models.ocr.networks.reader import Reader
from models.ocr.options import TrainOptions
from models.preprocessing import Preprocessing
from models.training.learner import Learner


@dataclass(frozen=True)
class RawPrediction:
    """What the network says about one validation picture."""

    index: int
    """Of the picture in its split."""
    log_probs: NDArray[np.float32]
    """Shape (steps, classes)."""


class ReadingLearner(Learner):
    """A reader's training step."""

    network: Reader

    def __init__(
        self, network: Reader, options: TrainOptions, preprocessing: Preprocessing
    ) -> None:
        super().__init__(network, options)
        self.normalisation = Normalisation(preprocessing)

    def losses(self, batch: dict[str, Any]) -> Mapping[str, Tensor]:
        """Compute CTC's loss, for each character; in float32 whatever the network runs in."""
        (log_probs,) = self.network(self.normalisation(batch["images"]))
        if not torch.isfinite(log_probs).all():
            raise FloatingPointError("the network's output is no finite number")
        smoothing = self.options.label_smoothing
        found = {"ctc": (1.0 - smoothing) * ctc_loss(log_probs, batch["targets"], batch["lengths"])}
        if smoothing:
            # The mean over classes of -log p: the cross entropy with an even distribution.
            found["smoothing"] = smoothing * -log_probs.mean()
        return found

    def predict(self, batch: dict[str, Any]) -> list[RawPrediction]:
        """Run the network on validation pictures."""
        (log_probs,) = self.network(self.normalisation(batch["images"]))
        found = log_probs.float().cpu().numpy()
        return [
            RawPrediction(index, one) for index, one in zip(batch["indices"], found, strict=True)
        ]

    def backbone(self) -> nn.Module:
        """Return the network's backbone."""
        return self.network.backbone()

    def size(self, batch: dict[str, Any]) -> int:
        """Count the pictures of a batch."""
        return len(batch["indices"])


def ctc_loss(log_probs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Mean over a batch of each text's negative log likelihood for each of its characters.

    Args:
        log_probs: [B, steps, classes]; the last class is the blank.
        targets: class indices of the texts, end to end.
        lengths: characters of each text, [B].
    """
    batch, steps, classes = log_probs.shape
    found: Tensor = functional.ctc_loss(
        log_probs.float().transpose(0, 1),
        targets,
        torch.full((batch,), steps, dtype=torch.int64),
        lengths.cpu(),
        blank=classes - 1,
        reduction="mean",
        zero_infinity=True,
    )
    return found
