"""Teaching a detector: batches to the device, losses, raw predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from models.detection.dataset import Labels
from models.detection.detections import Detections
from models.detection.networks.detector import Detector
from models.detection.options import TrainOptions
from models.detection.postprocessing import Postprocessing
from models.normalisation import Normalisation
from models.preprocessing import Preprocessing
from models.training.learner import Learner
from models.training.smoothing import smoothed


@dataclass(frozen=True)
class RawPrediction:
    """What the network says about one validation picture."""

    index: int
    """Of the picture in its split."""
    candidates: Detections
    """What may be an object; boxes are shares of the input. The whole output of a dense network
    would be hundreds of times as large."""
    postprocessing: Postprocessing

    def detections(self, labels: Labels, preprocessing: Preprocessing) -> Detections:
        """Turn it into detections that no threshold has cut."""
        placement = preprocessing.placement(*labels.sizes[self.index])
        return self.postprocessing.place(self.candidates, preprocessing, placement)


class DetectionLearner(Learner):
    """A detector's training step."""

    network: Detector

    def __init__(
        self,
        network: Detector,
        options: TrainOptions,
        preprocessing: Preprocessing,
        classes: int,
    ) -> None:
        super().__init__(network, options)
        self._classes = classes
        self.normalisation = Normalisation(preprocessing)

    def losses(self, batch: dict[str, Any]) -> Mapping[str, Tensor]:
        """Compute the weighted parts of the loss."""
        images, amount = self.normalisation(batch["images"]), self.options.label_smoothing
        if not amount:
            return self.network.losses(images, batch["targets"])
        return smoothed(
            amount,
            self._classes,
            self.network.class_loss,
            lambda: self.network.losses(images, batch["targets"]),
        )

    def predict(self, batch: dict[str, Any]) -> list[RawPrediction]:
        """Run the network on validation pictures."""
        outputs = self.network(self.normalisation(batch["images"]))
        steps = self.network.postprocessing()
        found = steps.candidates([output.float().cpu().numpy() for output in outputs])
        return [
            RawPrediction(index, one, steps)
            for index, one in zip(batch["indices"], found, strict=True)
        ]

    def backbone(self) -> nn.Module:
        """Return the network's backbone."""
        return self.network.backbone()

    def size(self, batch: dict[str, Any]) -> int:
        """Count the pictures of a batch."""
        return len(batch["indices"])
