"""Options of augmentation. No torch in here."""

from __future__ import annotations

from pydantic import Field, field_validator

from models.training.options import Fraction, Options


class AugmentationOptions(Options):
    """Random changes to training pictures; a probability or magnitude of 0 switches one off."""

    flip: Fraction = 0.5
    """Probability of a horizontal flip; 0 where left and right mean something."""
    vertical_flip: Fraction = 0.0
    """Probability of a vertical flip: for pictures with no up and down."""
    rot90: Fraction = 0.0
    """Probability of one, two or three quarter turns."""
    crop: tuple[float, float] = (0.6, 1.0)
    """Smallest and largest share of the picture's area that is cut out and enlarged (Szegedy et
    al., 2015); 1, 1 cuts nothing."""
    aspect: float = Field(1.2, ge=1.0, le=4.0)
    """How many times wider or higher a crop may become."""
    rotate: float = Field(10.0, ge=0.0, le=180.0)
    """Largest rotation in degrees, either way."""
    colour: Fraction = 0.5
    """Probability of random brightness, contrast and saturation, all together."""
    strength: Fraction = 0.3
    """Largest change of `colour`, as a share."""
    grey: Fraction = 0.0
    """Probability of a grey picture."""
    blur: Fraction = 0.0
    """Probability of a slight blur."""
    noise: Fraction = 0.0
    """Probability of Gaussian noise."""
    randaugment: int = Field(0, ge=0, le=10)
    """RandAugment (Cubuk et al., 2020): so many changes drawn for each picture from turning,
    shearing, shifting, contrast, brightness, saturation, sharpness, posterising, solarising and
    equalising; 2 is usual."""
    magnitude: Fraction = 0.3
    """Strength of RandAugment's changes: 0 changes nothing, 1 most."""
    erase: Fraction = 0.0
    """Probability that a rectangle is filled with noise (Zhong et al., 2020)."""
    mixup: float = Field(0.0, ge=0.0, le=10.0)
    """Alpha of mixup (Zhang et al., 2018): pictures of a batch and their classes are mixed in
    pairs; 0.2 is usual."""
    cutmix: float = Field(0.0, ge=0.0, le=10.0)
    """Alpha of CutMix (Yun et al., 2019): a part of each picture is another one's; 1 is usual. With
    `mixup` too, each batch gets one of the two."""
    off_epochs: int = Field(0, ge=0)
    """Last epochs with nothing of this but flips and turns, so that training ends on pictures as
    they are."""

    @field_validator("crop")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0.01 <= value[0] <= value[1] <= 1.0:
            raise ValueError("expected two shares between 0.01 and 1, the smaller first")
        return value
