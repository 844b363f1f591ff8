"""Options of the synthetic lines of text."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Linear = Literal["ean13", "ean8", "upca", "code128"]
Bars = Literal["none", "above", "mixed"]
Height = Annotated[int, Field(ge=10, le=200)]


class LineOptions(BaseModel):
    """What lines to make. The same options give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    train: int = Field(default=4000, ge=1, le=10_000_000)
    """Lines to train on, 1 or more. Each digit is as frequent as the others, check digits aside."""
    val: int = Field(default=400, ge=1, le=1_000_000)
    """Lines to validate on, 1 or more; their font families and texts occur in no other split."""
    test: int = Field(default=600, ge=1, le=1_000_000)
    """Lines to test on, 1 or more; likewise."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of every random choice. A line depends on the seed, its split and its number, and on
    none of the other lines."""
    symbologies: tuple[Linear, ...] = ("ean13", "ean8", "upca", "code128")
    """Symbologies in turn. Code 128 has capital letters too (without I, O and Q, which nobody tells
    from 1 and 0) and `-./`; the others have digits only."""
    bars: Bars = "none"
    """`none`: the line alone, as it is cut out under the bars, of which some may stick in. `above`:
    the bars stand above it. `mixed`: half of the lines each."""
    text_heights: tuple[Height, Height] = (13, 34)
    """Height of the smallest and largest digits in the picture, pixels, 10 to 200."""
    difficulty: float = Field(default=0.5, ge=0, le=1)
    """How strong blur, noise, tilt, shadows, fading and wear may get: 0 (a clean scan) to 1 (people
    have to look twice)."""
    train_fonts: tuple[str, ...] = ()
    """Font families, or paths of .ttf and .otf files, for train; the 15 built in unless given."""
    val_fonts: tuple[str, ...] = ()
    """Likewise for val; two of its own unless given."""
    test_fonts: tuple[str, ...] = ()
    """Likewise for test; four of its own unless given."""
    quality: int = Field(default=92, ge=50, le=100)
    """JPEG quality of the files, 50 to 100."""
    workers: int = Field(default=0, ge=0, le=64)
    """Threads that draw; 0 means one a core. Has no influence on the pictures."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.symbologies:
            raise ValueError("symbologies is empty: name at least one, such as 'ean13'")
        if len(set(self.symbologies)) != len(self.symbologies):
            raise ValueError("symbologies names one twice")
        low, high = self.text_heights
        if low > high:
            raise ValueError(f"text_heights: the smallest ({low}) is greater than the largest")
        return self
