"""Options of export and its checks. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from pydantic import Field, field_validator

from models.package.card import Format, Precision
from models.training.options import Fraction, Options

FormName = Literal[
    "onnx",
    "onnx-float16",
    "onnx-fused",
    "onnx-fused-float16",
    "openvino",
    "openvino-float16",
    "tensorrt",
    "tensorrt-float16",
    "tensorrt-int8",
]


@dataclass(frozen=True)
class Form:
    """One form to write: a format at a precision."""

    format: Format
    precision: Precision

    @classmethod
    def named(cls, name: FormName) -> Form:
        """Read a name such as `onnx-fused-float16`: a format, then a precision but float32."""
        for precision in ("float16", "int8"):
            if name.endswith(f"-{precision}"):
                return cls(cast(Format, name.removesuffix(f"-{precision}")), precision)
        return cls(cast(Format, name), "float32")


class TensorRtOptions(Options):
    """How TensorRT builds."""

    max_batch: int = Field(8, ge=1, le=1024)
    """Most pictures that go through the engine at once; it is built for 1 to this many. A fixed
    `batch` takes its place."""
    workspace_mb: int | None = Field(None, ge=1)
    """GPU memory that a layer may use for scratch, MiB; null lets it have all of it."""


class ToleranceOptions(Options):
    """How far a result may be from PyTorch's in float32 and still count as the same."""

    score: float = Field(1e-4, gt=0.0, le=1.0)
    """Difference of confidence."""
    position: float = Field(0.1, gt=0.0)
    """Largest distance between the edges of two results, pixels of the picture, where results have
    places."""
    outside: Fraction = 0.01
    """Share of results that may be further off: near ties between candidates can fall either way
    with the last bit."""


class ExportOptions(Options):
    """What is made of a trained model, and what it must stand."""

    formats: tuple[FormName, ...] = ("onnx", "openvino")
    """Forms to write: a format, then its precision unless that is float32. `fused` has the
    postprocessor inside: boxes in pixels of the input, scores and labels come out. `float16` is
    mixed: normalisation, softmax, top-k, sampling and the decoding of boxes stay float32 in ONNX
    and TensorRT; in OpenVINO it is the weights' (half the file; the CPU computes in float32 all the
    same). TensorRT is built for the GPU of this machine, and `tensorrt-int8` from the int8 ONNX
    that the quantize stage wrote."""
    batch: int | None = Field(None, ge=1, le=1024)
    """Pictures that every form takes at once; null takes any number. Fewer are filled up, more are
    run in parts."""
    simplify: bool = True
    """Fold constants and merge nodes of the ONNX graph (onnxslim); the outputs are compared."""
    tensorrt: TensorRtOptions = TensorRtOptions()
    """How TensorRT builds."""
    split: Literal["train", "val", "test"] = "val"
    """Split whose pictures the forms are compared on."""
    parity_pictures: int = Field(24, ge=3)
    """Pictures on which single results are compared, one at a time and in threes."""
    floor: Fraction = 0.05
    """Results less sure than this are not compared one by one."""
    tolerance: ToleranceOptions = ToleranceOptions()
    """For forms in float32."""
    tolerance_float16: ToleranceOptions = ToleranceOptions(score=0.02, position=2.0, outside=0.02)
    """For forms in float16."""
    tolerance_int8: ToleranceOptions = ToleranceOptions(score=0.5, position=16.0, outside=0.2)
    """For forms in int8: a gross check, since single results move; the metric decides."""
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
    def _some(cls, value: tuple[FormName, ...]) -> tuple[FormName, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one format and none twice")
        return value

    @property
    def forms(self) -> tuple[Form, ...]:
        """What `formats` names."""
        return tuple(Form.named(name) for name in self.formats)

    def tolerance_of(self, precision: Precision) -> ToleranceOptions:
        """Tolerance of forms at this precision."""
        if precision == "int8":
            return self.tolerance_int8
        return self.tolerance if precision == "float32" else self.tolerance_float16
