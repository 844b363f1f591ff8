"""Options of tuning and judging a reader. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.ocr.decoding.checksums import Symbology
from models.training.options import Fraction, Options

Threshold = Annotated[float, Field(ge=0.0, le=1.0)]
Splits = tuple[Literal["train", "val", "test"], ...]


def some(value: tuple[object, ...]) -> tuple[object, ...]:
    """Refuse a list with nothing in it, or with something twice."""
    if not value or len(set(value)) != len(value):
        raise ValueError("expected at least one entry and none twice")
    return value


class TuneOptions(Options):
    """How the confidence threshold is found."""

    precision: Fraction = 0.99
    """Share of right texts wanted among those that are accepted. Of the thresholds that give it the
    one that accepts the most lines is taken."""
    batch_size: int = Field(32, ge=1)
    """Pictures in one forward pass."""


class EvaluateOptions(Options):
    """How a reader is judged."""

    splits: Splits = ("val", "test")
    """Splits to measure, in this order."""
    threshold: Threshold | None = None
    """Confidence to use in place of the one stored in the model."""
    compare: Symbology | Literal["auto"] = "auto"
    """Symbology whose checksums are tried out beside the model's own decoding and beside none, and
    whose gain is reported. `auto` is the model's own if it has one, else `gtin` if there are such
    lines in the split. `none` tries nothing."""
    samples: int = Field(16, ge=0, le=100)
    """Lines shown with truth, reading and confidences, spread evenly over the split."""
    worst: int = Field(32, ge=0, le=200)
    """Wrong readings shown, the worst first: most edits a character, then the surest."""
    runtime: Literal["torch", "onnxruntime", "openvino"] = "torch"
    """What runs the model."""
    precision: Literal["float32", "float16", "int8"] | None = None
    """Which of the runtime's forms in the package runs; none takes the first."""
    batch_size: int = Field(32, ge=1)
    """Pictures in one forward pass."""

    @field_validator("splits")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        return some(value)
