"""Options of tuning and judging a detector. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

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
    per_class: bool = False
    """Find a threshold for each class besides the one for all."""
    per_class_least: int = Field(10, ge=1)
    """Objects that a class must have in val for a threshold of its own; one with fewer takes the
    threshold for all."""

    @model_validator(mode="after")
    def _classes_matter(self) -> Self:
        if self.per_class and self.matching == "any":
            raise ValueError("per_class needs matching=class: with any, classes don't count")
        return self


class EvaluateOptions(Options):
    """How a detector is judged."""

    splits: tuple[Literal["train", "val", "test"], ...] = ("val", "test")
    """Splits to measure, in this order."""
    ious: tuple[Threshold, ...] = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    """IoUs over which precision, recall and F1 at the threshold are given; single values, the
    confusion matrix and the curves use the first."""
    floor: Fraction = 0.0
    """Detections below this confidence are left out of all figures, COCO's too. With 0 COCO's are
    what pycocotools gives on all that the model says."""
    max_detections: int = Field(100, ge=1)
    """Detections that count in each picture, the surest first; in COCO's figures, of each class in
    each picture, as pycocotools does. 100 is COCO's."""
    matching: Literal["class", "any"] = "class"
    """For precision, recall, F1 and IoU; `class`: a detection must name the right class; `any`:
    only its box counts, and mAP and mAP50 are also given with all classes taken for one (`mAP_any`,
    `mAP50_any`)."""
    calibration_bins: int = Field(10, ge=2, le=100)
    """Bins of confidence, equally wide, in which it is compared with precision."""
    threshold: Threshold | None = None
    """Confidence to use in place of the one stored in the model."""
    samples: int = Field(8, ge=0, le=100)
    """Pictures shown with the truth on the left and predictions on the right, spread evenly over
    the split."""
    worst: int = Field(8, ge=0, le=100)
    """Pictures with the most false and missed boxes shown as debug samples."""
    runtime: Literal["torch", "onnxruntime", "openvino"] = "torch"
    """What runs the model."""
    precision: Literal["float32", "float16", "int8"] | None = None
    """Which of the runtime's forms in the package runs; none takes the first."""
    batch_size: int = Field(8, ge=1)
    """Pictures in one forward pass."""

    @field_validator("splits", "ious")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one entry and none twice")
        return value
