"""Options of the random changes to training pictures. No torch in here."""

from __future__ import annotations

from pydantic import Field

from models.training.options import Fraction, Options


class AugmentationOptions(Options):
    """Random changes to pictures of lines, in this order. 0 switches one off."""

    perspective: Fraction = 0.15
    """Largest shift of each corner as a share of the picture's height: tilts and turns a little."""
    stretch: Fraction = 0.12
    """Largest change of the width and the height, as a share."""
    shift: Fraction = 0.1
    """Largest shift in both directions as a share of the picture's height."""
    squeeze: float = Field(0.0, ge=0.0, lt=1.0)
    """Largest narrowing of the width alone, as a share: letters of narrower fonts."""
    slant: Fraction = 0.0
    """Largest slant of upright strokes to either side, as a share of their height."""
    stroke: Fraction = 0.0
    """Share of the pictures whose strokes become up to two pixels bolder or lighter: letters of
    other weights."""
    brightness: Fraction = 0.25
    """Largest change of the brightness, as a share of white."""
    contrast: Fraction = 0.35
    """Largest change of the contrast, as a factor from 1 - contrast to 1 + contrast."""
    colour: Fraction = 0.1
    """Largest change of single colour channels, as a share of white."""
    invert: Fraction = 0.0
    """Share of the pictures that become negatives: for light text on dark ground."""
    shadow: Fraction = 0.2
    """Share of the pictures with a shadow whose edge runs across them."""
    blur: Fraction = 0.3
    """Share of the pictures that are blurred: out of focus, or moved."""
    blur_size: float = Field(1.2, gt=0.0, le=10.0)
    """Largest blur: standard deviation in pixels of the network's input."""
    coarse: Fraction = 0.15
    """Share of the pictures made smaller and large again, as if taken from afar."""
    noise: Fraction = 0.06
    """Largest standard deviation of noise, as a share of white."""
    erase: Fraction = 0.0
    """Share of the pictures in which a narrow patch is painted over. What can't be seen can't be
    read, so this makes the network guess."""
    off_epochs: int = Field(0, ge=0)
    """Last epochs without any of these."""
