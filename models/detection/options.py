"""Options of teaching a detector. No torch in here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from models.detection.augmentation_options import AugmentationOptions
from models.detection.networks.options import NetworkOptions
from models.training.options import Fraction, Options, TrainingOptions

Figure = Literal["mAP", "mAP50", "mAP75", "f1", "iou"]
"""A validation figure."""


SIZE_STEP = 32
"""Sizes of `augmentation.multiscale` lie so many pixels apart; strides of all networks divide
it."""


def smallest_size(size: int, multiscale: float) -> int:
    """Say the smallest input that `augmentation.multiscale` makes."""
    return max(SIZE_STEP, size - int(multiscale * size / SIZE_STEP) * SIZE_STEP)


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
    balance: Fraction = 0.0
    """Repeats pictures of rare classes, in training only (repeat factors of LVIS; Gupta et al.,
    2019): a class on less than this share of all pictures comes sqrt(balance / share) times as
    often. An epoch keeps its length. 0 repeats none; LVIS takes 0.001, for a few classes 0.1 to 1
    has an effect."""
    background_free_epochs: int = Field(0, ge=0)
    """First epochs without pictures that have no objects; others come more often in their place,
    so an epoch keeps its length."""
    best_metric: tuple[Figure, ...] = Field(("mAP",), min_length=1)
    """The validation figure that picks the best epoch, or several, of which the mean counts: mAP,
    mAP50, mAP75, f1 (at IoU 0.5 and the best threshold) or iou (mean IoU there, each missed object
    and false box counting 0)."""
    samples: SampleOptions = SampleOptions()
    """Debug pictures."""

    @field_validator("best_metric", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _smallest_size_fits(self) -> TrainOptions:
        smallest = smallest_size(self.network.side, self.augmentation.multiscale)
        if smallest < self.network.side:
            try:
                NetworkOptions.model_validate({**self.network.model_dump(), "image_size": smallest})
            except ValidationError as error:
                said = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(
                    f"augmentation.multiscale makes pictures of {smallest} pixels, which are too "
                    f"small: {said}"
                ) from None
        return self
