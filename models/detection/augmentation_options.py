"""Options of augmentation. No torch in here."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from models.training.options import Fraction, Options


class AugmentationOptions(Options):
    """Random changes to training pictures; a probability of 0 switches one off."""

    flip: Fraction = 0.5
    """Probability of a horizontal flip."""
    vertical_flip: Fraction = 0.0
    """Probability of a vertical flip: for pictures with no up and down."""
    rot90: Fraction = 0.0
    """Probability of one, two or three quarter turns."""
    zoom_out: Fraction = 0.0
    """Probability that the picture is put smaller, anywhere on an empty ground: for small
    objects."""
    zoom_limit: float = Field(3.0, gt=1.0, le=10.0)
    """`zoom_out` makes the sides up to this many times smaller."""
    iou_crop: Fraction = 0.0
    """Probability of SSD's crop: a window that overlaps one of the boxes by a random IoU,
    enlarged to the input size."""
    affine: Fraction = 0.5
    """Probability of a random rotation, scale and shift."""
    rotate: float = Field(10.0, ge=0.0, le=180.0)
    """Largest rotation of `affine` and `mosaic` in degrees, either way. Boxes stay upright and
    grow, so large angles loosen them."""
    scale: tuple[float, float] = (0.8, 1.25)
    """Smallest and largest scale of `affine`."""
    shift: Fraction = 0.1
    """Largest shift of `affine` and `mosaic`, as a share of the picture's side."""
    mosaic: Fraction = 0.0
    """Probability that four pictures are put together, turned, shifted and cut to one. It replaces
    `zoom_out`, `iou_crop` and `affine` where it happens."""
    mosaic_scale: tuple[float, float] = (0.5, 1.0)
    """Smallest and largest scale of a mosaic: at 0.5 all four pictures are seen, each at half its
    size; at 1 a window of the input's size is cut from their middle."""
    mosaic_off_epochs: int = Field(0, ge=0)
    """Last epochs without `mosaic` and `mixup`; a tenth of all epochs is usual."""
    mixup: Fraction = 0.0
    """Probability that another picture is laid over this one; the objects of both count."""
    colour: Fraction = 0.5
    """Probability of random brightness, contrast, saturation and hue, all together."""
    photometric: Fraction = 0.0
    """Probability of SSD's photometric distortion: strong brightness, contrast, saturation, hue
    and swapped channels, each every other time."""
    brightness_contrast: Fraction = 0.0
    """Probability of random brightness and contrast, up to a fifth either way."""
    gamma: Fraction = 0.0
    """Probability of a random gamma, 0.67 to 1.5."""
    grey: Fraction = 0.0
    """Probability of a grey picture."""
    blur: Fraction = 0.1
    """Probability of a slight blur."""
    noise: Fraction = 0.1
    """Probability of Gaussian noise."""
    coarse_dropout: Fraction = 0.0
    """Probability of one to eight grey rectangles; objects that they all but cover don't count."""
    albumentations: tuple[dict[str, Any], ...] = ()
    """Further transforms of the albumentations library, as a JSON list of its names and arguments:
    [{"name": "MotionBlur", "p": 0.1}]. They must leave pictures at their size."""
    min_visible: Fraction = 0.3
    """A box of which less than this share stays in the picture is dropped."""
    multiscale: Fraction = 0.0
    """Random input size of each training batch: the network's size plus or minus this share, in
    steps of 32 pixels. Validation keeps the network's size."""
    off_epochs: int = Field(0, ge=0)
    """Last epochs with nothing of this but flips and turns, so that training ends on pictures as
    they are."""

    @field_validator("scale", "mosaic_scale")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0.1 <= value[0] <= value[1] <= 10.0:
            raise ValueError("expected two factors between 0.1 and 10, the smaller first")
        return value

    @field_validator("multiscale")
    @classmethod
    def _below_one(cls, value: float) -> float:
        if value > 0.9:
            raise ValueError("expected a share of at most 0.9 of the input size")
        return value

    @field_validator("albumentations")
    @classmethod
    def _named(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        if not all(isinstance(entry.get("name"), str) for entry in value):
            raise ValueError('expected tables like {"name": "MotionBlur", "p": 0.1}')
        return value
