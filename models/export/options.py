"""Options of export and its checks. No torch in here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from models.training.options import Fraction, Options

Format = Literal["onnx", "openvino"]


class ToleranceOptions(Options):
    """How far a result may be from PyTorch's in float32 and still count as the same."""

    score: float = Field(1e-4, gt=0.0, le=1.0)
    """Difference of confidence."""
    position: float = Field(0.1, gt=0.0)
    """Largest distance between two boxes' edges, pixels of the picture."""
    outside: Fraction = 0.01
    """Share of results that may be further off: near ties between candidates can fall either way
    with the last bit."""


class ExportOptions(Options):
    """What is made of a trained model, and what it must stand."""

    formats: tuple[Format, ...] = ("onnx", "openvino")
    """Forms to write."""
    openvino_precision: Literal["float32", "float16"] = "float32"
    """Of the weights in the OpenVINO file; float16 halves the file, the CPU computes in float32 all
    the same."""
    split: Literal["train", "val", "test"] = "val"
    """Split whose pictures the forms are compared on."""
    parity_pictures: int = Field(24, ge=3)
    """Pictures on which single results are compared, one at a time and in threes."""
    floor: Fraction = 0.05
    """Results less sure than this are not compared one by one."""
    tolerance: ToleranceOptions = ToleranceOptions()
    """For weights in float32."""
    tolerance_float16: ToleranceOptions = ToleranceOptions(score=0.02, position=2.0, outside=0.02)
    """For weights in float16."""
    metric_pictures: int = Field(200, ge=1)
    """Pictures on which the task's metric is computed for PyTorch and for each form, at most."""
    budget: float = Field(0.002, ge=0.0, le=1.0)
    """Largest loss of the task's main metric against PyTorch, in points from 0 to 1."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of each runtime; null leaves it to the runtime."""
    latency_calls: int = Field(20, ge=0)
    """Timed calls in each of three blocks, for the report; 0 times nothing."""

    @field_validator("formats")
    @classmethod
    def _some(cls, value: tuple[Format, ...]) -> tuple[Format, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one format and none twice")
        return value
