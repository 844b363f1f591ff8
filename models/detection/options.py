"""Options of learning and judging a detector. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from models.training.options import Fraction, Options, TrainingOptions

Threshold = Annotated[float, Field(gt=0.0, lt=1.0)]


class NetworkOptions(Options):
    """All that is needed to build the network again, without a hub and without its weights."""

    name: Literal["dfine"] = "dfine"
    """Architecture: D-FINE (Peng et al., 2024, arXiv:2410.13842)."""
    backbone: str = "resnet10t"
    """Any convolutional timm model with feature maps (`timm.list_models()`)."""
    image_size: int = Field(320, ge=64, le=2048, multiple_of=32)
    """Height and width of the network's input in pixels."""
    queries: int = Field(100, ge=1, le=1000)
    """Most objects found in one picture: at least the most boxes any picture holds."""
    levels: int = Field(3, ge=1, le=4)
    """Feature maps taken from the backbone, counted from the coarsest (stride 32) up: 3 reach
    down to stride 8. Small objects need more, time grows with each."""
    hidden_width: int = Field(128, ge=32, le=512, multiple_of=32)
    """Channels of encoder and decoder."""
    decoder_layers: int = Field(3, ge=2, le=6)
    """Decoder layers; each refines the boxes of the one before."""
    denoising_queries: int = Field(50, ge=0, le=500)
    """Noisy copies of the true boxes that the decoder learns to repair, in training only; 0
    switches them off."""
    weights: str = "none"
    """Where the backbone starts: `none` (from scratch), `hub` (timm's published weights) or a
    file with timm weights (.safetensors, or .pth holding nothing but tensors)."""
    freeze_batch_norm: bool = False
    """Keep the backbone's batch norms as they came: for published weights and small batches,
    never for training from scratch."""

    @model_validator(mode="after")
    def _queries_have_places(self) -> NetworkOptions:
        """Queries start from the best places of the feature maps; there must be as many."""
        places = sum((self.image_size // (32 >> level)) ** 2 for level in range(self.levels))
        if self.queries > places:
            raise ValueError(
                f"network.queries={self.queries} is more than the {places} places that "
                f"{self.levels} feature maps of a {self.image_size} px input have; lower "
                f"network.queries or raise network.image_size"
            )
        return self

    @model_validator(mode="after")
    def _frozen_norms_need_weights(self) -> NetworkOptions:
        if self.freeze_batch_norm and self.weights == "none":
            raise ValueError(
                "network.freeze_batch_norm=true needs network.weights: a backbone trained from "
                "scratch has no batch norms worth keeping"
            )
        return self


class AugmentationOptions(Options):
    """Random changes to training pictures; a probability of 0 switches one off."""

    flip: Fraction = 0.5
    """Probability of a horizontal flip."""
    vertical_flip: Fraction = 0.0
    """Probability of a vertical flip: for pictures with no up and down."""
    rot90: Fraction = 0.0
    """Probability of one, two or three quarter turns."""
    affine: Fraction = 0.5
    """Probability of a random rotation, scale and shift."""
    rotate: float = Field(10.0, ge=0.0, le=180.0)
    """Largest rotation of `affine` in degrees, either way. Boxes stay upright and grow, so large
    angles loosen them."""
    scale: tuple[float, float] = (0.8, 1.25)
    """Smallest and largest scale of `affine`."""
    shift: Fraction = 0.1
    """Largest shift of `affine`, as a share of the picture's side."""
    colour: Fraction = 0.5
    """Probability of random brightness, contrast, saturation and hue."""
    grey: Fraction = 0.0
    """Probability of a grey picture."""
    blur: Fraction = 0.1
    """Probability of a slight blur."""
    noise: Fraction = 0.1
    """Probability of Gaussian noise."""
    min_visible: Fraction = 0.3
    """A box of which less than this share stays in the picture is dropped."""
    off_epochs: int = Field(0, ge=0)
    """Last epochs without `affine`, `colour`, `grey`, `blur` and `noise`, so that training ends on
    pictures as they are."""

    @field_validator("scale")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0.1 <= value[0] <= value[1] <= 10.0:
            raise ValueError("expected two factors between 0.1 and 10, the smaller first")
        return value


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
    cache_mb: int = Field(2048, ge=0)
    """Memory for decoded and resized pictures in MiB, for both splits together and for each
    process; pictures beyond it are decoded anew in each epoch."""
    best_metric: Literal["mAP", "mAP50"] = "mAP"
    """The validation figure that picks the best epoch."""
    samples: SampleOptions = SampleOptions()
    """Debug pictures."""


class TuneOptions(Options):
    """How the confidence threshold is found."""

    metric: Literal["f1", "f2", "f0.5"] = "f1"
    """What the threshold makes greatest: F1, or an F-measure that weighs recall (f2) or precision
    (f0.5) more."""
    iou: Threshold = 0.5
    """IoU from which a detection counts as correct."""
    grid: int = Field(0, ge=0, le=10000)
    """Thresholds tried, evenly spaced between 0 and 1; 0 tries every score that occurs."""
    smallest: Fraction = 0.01
    """The smallest threshold allowed."""
    max_detections: int = Field(300, ge=1)
    """Detections kept in each picture, the surest first."""
    matching: Literal["class", "any"] = "class"
    """`class`: a detection must name the right class; `any`: only its box counts."""


class EvaluateOptions(Options):
    """How a detector is judged."""

    splits: tuple[Literal["train", "val", "test"], ...] = ("val", "test")
    """Splits to measure, in this order."""
    ious: tuple[Threshold, ...] = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    """IoUs over which precision, recall and F1 at the threshold are given; single values, the
    confusion matrix and the curves use the first."""
    floor: Fraction = 0.001
    """Detections below this confidence are left out of all figures, COCO's too."""
    max_detections: int = Field(100, ge=1)
    """Detections kept in each picture, the surest first; 100 is COCO's."""
    matching: Literal["class", "any"] = "class"
    """For precision, recall, F1 and IoU; `class`: a detection must name the right class; `any`:
    only its box counts."""
    threshold: Threshold | None = None
    """Confidence to use in place of the one stored in the model."""
    worst: int = Field(8, ge=0, le=100)
    """Pictures with the most false and missed boxes shown as debug samples."""
    runtime: Literal["torch", "onnxruntime", "openvino"] = "torch"
    """What runs the model."""
    batch_size: int = Field(8, ge=1)
    """Pictures in one forward pass."""

    @field_validator("splits", "ious")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one entry and none twice")
        return value
