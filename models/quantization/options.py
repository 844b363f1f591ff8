"""Options of quantisation and of its gate. No torch in here."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.export.options import ToleranceOptions
from models.training.options import FinetuneOptions, Fraction, Options

Form = Literal["openvino", "onnx"]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class ControlOptions(Options):
    """Putting layers back to float where plain quantisation loses too much."""

    enabled: bool = True
    """Try it when plain post-training quantisation is outside the budget; off, the stage fails (or
    keeps float) at once."""
    ranking_pictures: int = Field(100, ge=1)
    """Pictures on which each group of layers is tried in float, those that changed most; the time
    grows with it and with the network."""
    rounds: int = Field(50, ge=1)
    """Groups of layers that may be put back at most, one after the other."""


class QuantizeOptions(Options):
    """What is quantised, how, and what it may lose."""

    forms: tuple[Form, ...] = ("openvino", "onnx")
    """Forms to write: `openvino` through NNCF, and `onnx` with QuantizeLinear and DequantizeLinear
    nodes, int8 with zero-point 0, as ONNX Runtime and TensorRT take it."""
    method: Literal["post-training", "training"] = "post-training"
    """`training` first trains on with rounding to 8 bits in place, through NNCF for PyTorch, so
    that the weights learn to stand it; the forms are then made from those weights. The package's
    own weights stay as they are."""
    training: FinetuneOptions = FinetuneOptions()
    """For method=training."""
    preset: Literal["mixed", "performance"] = "mixed"
    """For OpenVINO: `performance` takes symmetric ranges for activations; `mixed` asymmetric ones
    where values have both signs, a little slower and nearer to float."""
    model_type: Literal["auto", "transformer", "none"] = "auto"
    """For OpenVINO: NNCF's scheme for attention. `auto` takes it for networks built on it."""
    fast_bias_correction: bool = True
    """For OpenVINO: correct the layers' biases from averages; false does it layer after layer,
    nearer to float and many times slower."""
    seven_bits: Literal["first-layer", "all-layers", "none"] = "first-layer"
    """For OpenVINO: which weights take 7 of the 8 bits. Without VNNI a processor adds products in
    16 bits, which 8-bit weights overflow: those of the first layer as a rule. `all-layers` is for
    files that are to give the same on old and new processors."""
    float_parts: tuple[Literal["inputs", "outputs", "decoder"], ...] = ("inputs", "outputs")
    """Parts that stay in float: `inputs`, the arithmetic before the first layer with weights, such
    as a reader's local contrast; `outputs`, that after the last one, such as that of boxes;
    `decoder`, all that follows the choice of queries."""
    float_layers: tuple[str, ...] = ()
    """Further layers that stay in float: regular expressions of node names in the graph."""
    onnx_operators: tuple[Literal["Conv", "MatMul", "Gemm"], ...] = ("Conv",)
    """Operators quantised in the ONNX form. Convolutions alone lose least; `MatMul` and `Gemm`,
    only those with weights, make the file smaller."""
    onnx_ranges: Literal["minmax", "entropy", "percentile"] = "minmax"
    """How the ONNX form's ranges follow from the values seen: all of them, those that keep most
    information, or all but the rarest 0.001 %. The last two hold histograms of every tensor."""
    calibration_pictures: int = Field(300, ge=1)
    """Pictures of the training split, chosen at random, that give the ranges of values."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of the choice of pictures and of the resamples."""
    split: Literal["val", "test"] = "val"
    """Split on which the loss is judged."""
    metric_pictures: int = Field(1000, ge=1)
    """Pictures on which it is judged, at most; more make the interval narrower."""
    budget: float = Field(0.005, ge=0.0, le=1.0)
    """Largest loss of the task's main metric against PyTorch in float32, in points from 0 to 1. The
    upper end of the loss's interval must not exceed it."""
    confidence: Share = 0.95
    """Of the interval: two-sided, from a paired bootstrap over pictures."""
    resamples: int = Field(1000, ge=100)
    """Resamples of the bootstrap."""
    otherwise: Literal["fail", "float"] = "fail"
    """When a form is outside the budget: fail with the figures, or leave the form out and hand on
    what the package held before."""
    control: ControlOptions = ControlOptions()
    """Accuracy control, for OpenVINO."""
    parity_pictures: int = Field(24, ge=3)
    """Pictures on which single results are compared with PyTorch's."""
    floor: Fraction = 0.3
    """Results less sure than this are not compared one by one."""
    tolerance: ToleranceOptions = ToleranceOptions(score=0.1, position=8.0, outside=0.3)
    """How far a result may be from PyTorch's. It finds what is broken; whether it is good enough is
    the budget's part."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of each runtime; null leaves it to the runtime."""
    latency_calls: int = Field(20, ge=0)
    """Timed calls in each of three blocks, for the report; 0 times nothing."""

    @field_validator("forms", "onnx_operators")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected at least one and none twice")
        return value

    @field_validator("float_layers")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is no regular expression: {error}") from None
        return value
