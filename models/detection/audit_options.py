"""Options of auditing: a model's mistakes and suspected label errors. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from models.detection.judging_options import Threshold
from models.training.options import Fraction, Options


class AuditOptions(Options):
    """How mistakes and suspected label errors are looked for."""

    splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val")
    """Splits to look through, in this order."""
    iou: Threshold = 0.5
    """IoU from which a detection is right."""
    threshold: Threshold | None = None
    """Least confidence of a detection; the model's own, by class where it has one, unless given."""
    placed: Threshold = 0.6
    """A label is suspected to be badly placed if its IoU with the model's box is below this."""
    quality: Fraction = 0.5
    """Labels of at most this quality are listed as suspects: 0 lists only what the model is sure
    of, 1 every doubt."""
    second_look: bool = True
    """Look again at mirrored pictures where a label seems to be missing; the mean of both
    confidences counts, so that what only one of the two looks shows drops in the ranking."""
    mistakes: int = Field(40, ge=0, le=1000)
    """Pictures with mistakes shown for each split, the worst first."""
    suspects: int = Field(20, ge=0, le=1000)
    """Suspected label errors of each kind shown as pictures for each split, the likeliest first."""
    rows: int = Field(200, ge=1, le=5000)
    """Rows of a table shown at most; the artifact `audit` holds them all."""
    runtime: Literal["torch", "onnxruntime", "openvino"] = "torch"
    """What runs the model."""
    batch_size: int = Field(8, ge=1)
    """Pictures in one forward pass."""

    @field_validator("splits")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one entry and none twice")
        return value
