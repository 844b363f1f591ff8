"""Options of a benchmark. Nothing heavy in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.training.options import Options


class BenchmarkOptions(Options):
    """What is measured, and for how long."""

    split: Literal["train", "val", "test"] = "test"
    """Split of the dataset that gives the pictures and the accuracy."""
    metric_pictures: int = Field(500, ge=0)
    """Pictures on which the accuracy of each form is measured, at most, spread over the split; 0
    measures none."""
    seconds: float = Field(6.0, gt=0.0, le=3600.0)
    """Time for the timed calls of each form, all rounds together. Half of it goes to single
    pictures, half to the batches; starting, warming up and the accuracy come on top."""
    rounds: int = Field(3, ge=1, le=100)
    """How often each form is started anew and timed, each time in another order, so that a machine
    that gets slower meanwhile does so for all."""
    batches: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = (1, 2, 4, 8, 16)
    """Batch sizes whose throughput is measured; an empty list measures none."""
    runtimes: tuple[str, ...] = ()
    """Runtimes to measure, such as `onnxruntime`; an empty list takes all that there are."""
    bfloat16: Literal["auto", "always", "never"] = "auto"
    """Measure float32 and float16 forms computing in bfloat16 too; `auto`: where the processor has
    instructions for it."""
    throughput: bool = False
    """Measure forms set for many pictures at once too, where the runtime has such a mode
    (OpenVINO): a single picture takes longer, large batches go faster."""
    compiled: bool = False
    """Measure what PyTorch compiles (torch.compile) too. It needs a C++ compiler on the CPU, and up
    to minutes to start, in each round and for each batch size."""
    device: str = "auto"
    """`auto` (a GPU that the runtime can use, else the CPU), `cpu`, `cuda`, `cuda:1`, or for
    OpenVINO any of its device names."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of each runtime; null leaves it to the runtime."""
    patience: float = Field(300.0, gt=0.0)
    """A form that gives no sign of life for so many seconds is ended, and its row says so."""
    metric_tolerance: float = Field(0.005, ge=0.0, le=1.0)
    """Loss of the main metric against the baseline, in points from 0 to 1, from which on it is
    marked as a regression, if it isn't noise (see `resamples`)."""
    resamples: int = Field(300, ge=0)
    """Draws of the pictures in a paired bootstrap: a loss against the baseline is marked only if
    the middle 95 % of its values on them are above 0. 0 looks at the tolerance alone."""
    latency_tolerance: float = Field(0.1, ge=0.0)
    """Rise of the median latency against the baseline, as a share, from which on it is marked; only
    if every round was slower than the baseline's slowest, on the same hardware."""

    @field_validator("batches", "runtimes")
    @classmethod
    def _none_twice(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(value)) != len(value):
            raise ValueError("expected none twice")
        return value


class GateOptions(Options):
    """What a form of the model must stand. A limit that isn't given isn't asked for."""

    metric: str = ""
    """Figure that `minimum` is about, such as `mAP50`; the family's main one if empty."""
    minimum: float | None = None
    """The least it must reach."""
    latency: Annotated[float, Field(gt=0.0)] | None = None
    """Most milliseconds from a picture in memory to its results."""
    percentile: Literal["p50", "p90", "p99"] = "p50"
    """Which latency `latency` is about."""
    size: Annotated[float, Field(gt=0.0)] | None = None
    """Most MB (10^6 bytes) of the form's files."""
    need: Literal["one", "all"] = "one"
    """`one`: some form must stand all limits at once; `all`: each form that could run here must."""
    regressions: bool = False
    """Fail on any regression against the baseline too."""


class PromotionOptions(Options):
    """When a published model becomes the champion of its name."""

    rule: Literal["not-worse", "better", "always", "never"] = "not-worse"
    """`not-worse`: no form lost accuracy or got slower; `better`: and the main metric of some form
    has really gained; `always` and `never` don't look."""
    metric_tolerance: float = Field(0.005, ge=0.0, le=1.0)
    """Loss of the main metric, in points from 0 to 1, that counts for nothing. A larger one counts
    unless it is noise (paired bootstrap over the pictures); so does a gain."""
    latency_tolerance: float | None = Field(0.1, ge=0.0)
    """Rise of the median latency, as a share, that counts for nothing; null asks for no latency."""
    unmeasured: Literal["keep", "promote"] = "keep"
    """What becomes of the title if the two can't be compared: the champion wasn't measured on these
    pictures, tells other classes apart, or has no form in common with the model."""
