"""Options of auditing: a reader's mistakes and suspected label errors. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from models.ocr.judging_options import Splits, some
from models.training.options import Fraction, Options


class AuditOptions(Options):
    """How mistakes and suspected label errors are looked for."""

    splits: Splits = ("train", "val")
    """Splits to look through, in this order."""
    quality: Fraction = 0.01
    """Labels of at most this quality are listed as suspects. The quality is the label's likelihood
    as a share of the label's and the reading's together: 0 lists only what the model is sure of, 1
    every reading that differs."""
    mistakes: int = Field(64, ge=0, le=1000)
    """Wrong readings shown for each split, the worst first."""
    suspects: int = Field(32, ge=0, le=1000)
    """Suspected label errors shown for each split, the likeliest first."""
    rows: int = Field(200, ge=1, le=5000)
    """Rows of a table shown at most; the artifact `audit` holds them all."""
    runtime: Literal["torch", "onnxruntime", "openvino"] = "torch"
    """What runs the model."""
    batch_size: int = Field(32, ge=1)
    """Pictures in one forward pass."""

    @field_validator("splits")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        return some(value)
