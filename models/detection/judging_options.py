"""Options of tuning and judging a detector. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.training.options import Fraction, Options

Threshold = Annotated[float, Field(gt=0.0, lt=1.0)]


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
