"""Options of tuning, judging and auditing a classifier. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.training.options import Fraction, Options

Threshold = Annotated[float, Field(ge=0.0, le=1.0)]
Split = Literal["train", "val", "test"]
Runtime = Literal["torch", "onnxruntime", "openvino", "tensorrt"]


class TuneOptions(Options):
    """How temperature and threshold are found, on val."""

    temperature: bool = True
    """Fit the temperature, so that confidences say how often the model is right (Guo et al.,
    2017)."""
    risk: Fraction = 0.01
    """For one class a picture: the largest share of mistakes among the pictures that get a name;
    on the others the model says that it doesn't know. The threshold is the lowest that keeps to
    it, and 0 where none is needed."""
    metric: Literal["f1", "f2", "f0.5"] = "f1"
    """For several classes a picture: what each threshold makes greatest. F1, or an F-measure that
    weighs recall (f2) or precision (f0.5) more."""
    per_class: bool = True
    """For several classes a picture: a threshold for each class that occurs often enough."""
    per_class_least: int = Field(10, ge=1)
    """Pictures that a class must have in val for a threshold of its own."""


class EvaluateOptions(Options):
    """How a classifier is judged."""

    splits: tuple[Split, ...] = ("val", "test")
    """Splits to measure, in this order."""
    threshold: Threshold | None = None
    """Least confidence; the package's own unless given. It decides what isn't named, not accuracy,
    which counts the surest class of every picture."""
    top: int = Field(5, ge=2, le=100)
    """Top-k accuracy is measured for this k, where there are more classes."""
    bins: int = Field(15, ge=2, le=100)
    """Bins of the expected calibration error."""
    mistakes: int = Field(24, ge=0, le=500)
    """Pictures shown of the most confident mistakes."""
    embeddings: int = Field(1000, ge=0, le=5000)
    """Pictures at most on the map of the network's features; 0 draws none. Needs the runtime
    torch."""
    runtime: Runtime = "torch"
    """What runs the model."""
    precision: Literal["float32", "float16", "bfloat16", "int8", "mixed"] | None = None
    """Which artifact of the runtime's format; the first unless given."""
    batch_size: int = Field(32, ge=1)
    """Pictures in one forward pass."""

    @field_validator("splits")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        return some(value)


class AuditOptions(Options):
    """How mistakes and suspected label errors are looked for."""

    splits: tuple[Split, ...] = ("train", "val")
    """Splits to look through, in this order."""
    quality: Fraction = 0.2
    """Labels to which the model gives at most this confidence, and less than is usual for the
    class, are listed as suspects if it is sure of another: 0 lists nothing, 1 every doubt."""
    mistakes: int = Field(40, ge=0, le=1000)
    """Pictures with mistakes shown for each split, the most confident first."""
    suspects: int = Field(40, ge=0, le=1000)
    """Suspected label errors shown as pictures for each split, the likeliest first."""
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


def some(value: tuple[object, ...]) -> tuple[object, ...]:
    """Refuse an empty list and one with an entry twice."""
    if not value or len(set(value)) != len(value):
        raise ValueError("expected at least one entry and none twice")
    return value
