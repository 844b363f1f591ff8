"""Options of teaching a classifier. No torch in here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from models.classification.augmentation_options import AugmentationOptions
from models.classification.networks.options import NetworkOptions
from models.training.options import Fraction, Options, TrainingOptions

Figure = Literal["accuracy", "f1", "top5", "mAP"]
"""A validation figure."""


class DistillOptions(Options):
    """Knowledge distillation (Hinton et al., 2015): a teacher's confidences are learned too."""

    model: str = ""
    """The teacher: a package of ours with the same classes, as an id or name in the registry, a
    folder or a zip. Empty: no teacher."""
    share: Fraction = 0.5
    """Share of the loss that comes from the teacher; the labels have the rest."""
    temperature: float = Field(2.0, gt=0.0, le=100.0)
    """Both networks' logits are divided by it."""


class SampleOptions(Options):
    """Debug pictures during training."""

    count: int = Field(16, ge=0, le=64)
    """Pictures on each sheet: augmented training pictures, predictions beside the truth."""
    every: int = Field(5, ge=1)
    """Epochs between them; the first and the last epoch always have them."""


class TrainOptions(TrainingOptions):
    """How a classifier is trained."""

    epochs: int = Field(30, ge=1)
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 32
    """Pictures in one forward pass, on each device. `auto`: on a GPU the largest power of two, 256
    at most, whose training step fits with a fifth of the memory to spare, found by trial; on a CPU
    8. The learning rate isn't scaled with it."""
    network: NetworkOptions = NetworkOptions()
    """The network."""
    resize: Literal["letterbox", "stretch"] = "letterbox"
    """How a picture is brought to the input size: `letterbox` keeps its shape and pads, `stretch`
    fills the input."""
    augmentation: AugmentationOptions = AugmentationOptions()
    """Random changes to training pictures."""
    class_weights: Literal["none", "balanced"] | tuple[float, ...] = "none"
    """Weight of each class in the loss: `balanced` makes all classes weigh the same together, a
    list gives one for each class in the dataset's order."""
    balance: Fraction = 0.0
    """Repeats pictures of rare classes, in training only: at 1 all classes come equally often, at
    0 as often as they are there. An epoch keeps its length."""
    layer_decay: float = Field(1.0, gt=0.0, le=1.0)
    """Each layer's learning rate as a share of that of the layer above it, counted from the head
    (Clark et al., 2020): 0.65 to 0.8 suits a pretrained transformer, 1 has no effect."""
    head_epochs: int = Field(0, ge=0)
    """First epochs in which only the head learns, so that its random start doesn't spoil weights
    that were there."""
    distill: DistillOptions = DistillOptions()
    """A teacher."""
    best_metric: tuple[Figure, ...] = Field(("accuracy",), min_length=1)
    """The validation figure that picks the best epoch, or several, of which the mean counts:
    accuracy (for several labels the share of pictures with exactly the right ones), f1 (mean over
    the classes), top5, or mAP (mean over the classes of the average precision)."""
    samples: SampleOptions = SampleOptions()
    """Debug pictures."""

    @field_validator("best_metric", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("class_weights")
    @classmethod
    def _no_weight_is_negative(cls, value: Any) -> Any:
        if isinstance(value, tuple) and (any(w < 0 for w in value) or not any(value)):
            raise ValueError("expected weights of 0 or more, not all 0")
        return value

    @model_validator(mode="after")
    def _head_first_needs_weights(self) -> TrainOptions:
        if self.head_epochs and self.head_epochs >= self.epochs:
            raise ValueError(
                f"head_epochs={self.head_epochs} leaves none of {self.epochs} epochs for the rest "
                "of the network; set network.freeze=true to teach the head alone"
            )
        return self


class BaselineOptions(Options):
    """Logistic regression on the features of a network that isn't trained here."""

    network: NetworkOptions = NetworkOptions()
    """The network that gives the features. With `network.weights=hub` it is a strong baseline; with
    `none` its features are random, which says what can be had without any training."""
    resize: Literal["letterbox", "stretch"] = "letterbox"
    """How a picture is brought to the input size."""
    strengths: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        (0.001, 0.01, 0.1, 1.0, 10.0), min_length=1
    )
    """Inverse strengths of regularisation that are tried; the best on val is taken."""
    steps: int = Field(300, ge=1)
    """Most steps of the solver (L-BFGS)."""
    batch_size: int = Field(32, ge=1)
    """Pictures in one forward pass."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of a network without published weights."""
