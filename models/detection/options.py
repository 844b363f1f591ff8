"""Options of teaching a detector. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.detection.augmentation_options import AugmentationOptions
from models.detection.networks.options import NetworkOptions
from models.training.options import Options, TrainingOptions


class SampleOptions(Options):
    """Debug pictures during training."""

    count: int = Field(4, ge=0, le=64)
    """Pictures of each kind: augmented training pictures, predictions beside the truth."""
    every: int = Field(5, ge=1)
    """Epochs between them; the first and the last epoch always have them."""


class TrainOptions(TrainingOptions):
    """How a detector is trained."""

    network: NetworkOptions = NetworkOptions()
    """The network."""
    resize: Literal["letterbox", "stretch"] = "letterbox"
    """How a picture is brought to the input size: `letterbox` keeps its shape and pads."""
    augmentation: AugmentationOptions = AugmentationOptions()
    """Random changes to training pictures."""
    best_metric: Literal["mAP", "mAP50"] = "mAP"
    """The validation figure that picks the best epoch."""
    samples: SampleOptions = SampleOptions()
    """Debug pictures."""
