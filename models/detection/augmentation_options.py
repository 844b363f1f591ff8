"""Options of augmentation. No torch in here."""

from __future__ import annotations

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
