"""What a benchmark found out, as it is kept: one JSON document that a later one can read."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.benchmark.hardware import Hardware

_RECORD_LIMIT = 64 << 20


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class Latency(_Part):
    """Times of single calls, milliseconds."""

    calls: int
    fastest: float
    p50: float
    p90: float
    p99: float
    rounds: tuple[float, ...]
    """Median of each round."""

    @classmethod
    def of(cls, rounds: list[list[float]]) -> Self | None:
        """Sum up the seconds of each round's calls; None if there are none.

        Percentiles are over all calls and interpolated linearly. Of fewer than 100 calls, p99 is
        nearly the slowest.
        """
        taken = [np.array(times) * 1e3 for times in rounds if times]
        if not taken:
            return None
        together = np.concatenate(taken)
        p50, p90, p99 = (float(value) for value in np.percentile(together, (50, 90, 99)))
        medians = tuple(float(np.median(times)) for times in taken)
        return cls(
            calls=len(together),
            fastest=float(together.min()),
            p50=p50,
            p90=p90,
            p99=p99,
            rounds=medians,
        )

    @property
    def spread(self) -> float:
        """Distance of the fastest and the slowest round, as a share of the median."""
        return (max(self.rounds) - min(self.rounds)) / self.p50 if self.p50 else 0.0


class Throughput(_Part):
    """One batch size."""

    batch: int
    end_to_end: Latency | None = None
    """A call with so many pictures in memory, to their results."""
    network: Latency | None = None
    """The runtime alone."""
    memory_mb: float | None = None
    """Peak of the process, MB."""
    problem: str = ""
    """Why it couldn't be measured."""

    @property
    def pictures(self) -> float | None:
        """Pictures a second, end to end."""
        return self._rate(self.end_to_end)

    @property
    def network_pictures(self) -> float | None:
        """Pictures a second of the network alone."""
        return self._rate(self.network)

    def _rate(self, latency: Latency | None) -> float | None:
        return self.batch / latency.p50 * 1e3 if latency and latency.p50 else None


class Row(_Part):
    """One form of a model under one runtime."""

    file: str
    format: str
    precision: str
    runtime: str
    """Empty if there is none for the form."""
    variant: Literal["", "bfloat16", "throughput", "compiled"] = ""
    """Another way to run the same file: computing in bfloat16, OpenVINO's mode for throughput, or
    compiled by PyTorch; empty for the usual one."""
    baseline: bool = False
    """Belongs to the model that this one is held against."""
    device: str = ""
    bytes: int
    """Of all its files."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Measured on this very file; the main one in front."""
    resampled: tuple[float | None, ...] = ()
    """The main metric on draws of the pictures with replacement, the same draws for every form and
    record with so many pictures; null where there is nothing to measure."""
    end_to_end: Latency | None = None
    """From one picture in memory to its results."""
    network: Latency | None = None
    """The runtime alone with one picture."""
    cores: float | None = None
    """Cores kept busy by single pictures, on average."""
    throughput: tuple[Throughput, ...] = ()
    memory_mb: float | None = None
    """Peak resident memory of a process that predicts single pictures, MB (10^6 bytes)."""
    base_memory_mb: float | None = None
    """Of it, what the process held before it loaded the runtime: Python, libraries for pictures,
    and the pictures."""
    gpu_memory_mb: float | None = None
    """What all GPUs together held more than before it started, MB; null without a GPU. Other
    processes on them count too."""
    start_s: tuple[float, ...] = ()
    """From the start of the process to its first result, each round, seconds."""
    load_s: tuple[float, ...] = ()
    """Of it, importing the runtime and loading the form."""
    problem: str = ""
    """Why something of it couldn't be measured."""
    regressions: tuple[str, ...] = ()
    """What is worse than in the baseline, in words."""

    @property
    def label(self) -> str:
        """Its name for people."""
        name = ", ".join(filter(None, (self.file, self.runtime, self.variant)))
        return name + (" (baseline)" if self.baseline else "")

    @property
    def start(self) -> float | None:
        """Median start time."""
        return statistics.median(self.start_s) if self.start_s else None

    @property
    def load(self) -> float | None:
        """Median load time."""
        return statistics.median(self.load_s) if self.load_s else None


class BenchmarkRecord(_Part):
    """All of a benchmark."""

    version: Literal[1] = 1
    created: str
    """ISO 8601, UTC."""
    family: str
    metric: str
    """The family's main metric."""
    model: str
    """Id or path of the model."""
    dataset: str
    """Id or path of the dataset."""
    dataset_hash: str
    """Of its descriptions and labels: tells whether two records speak of the same pictures."""
    split: str
    pictures: int
    """On which the accuracy was measured."""
    threads: int | None
    """Asked for; null if it was left to the runtimes."""
    device: str
    """Asked for."""
    seconds: float
    rounds: int
    hardware: Hardware
    rows: tuple[Row, ...]
    baseline: str = ""
    """What the model was held against."""
    notes: tuple[str, ...] = ()
    """What a reader should know, such as other work on the machine."""

    @property
    def own(self) -> tuple[Row, ...]:
        """The model's rows, without the baseline's."""
        return tuple(row for row in self.rows if not row.baseline)

    @property
    def regressions(self) -> tuple[str, ...]:
        """All that is marked, with the row's name."""
        return tuple(f"{row.label}: {line}" for row in self.own for line in row.regressions)


def read_record(path: Path) -> BenchmarkRecord:
    """Read a record that an earlier benchmark has written.

    Raises:
        ValueError: it isn't one.
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such benchmark record")
    if path.stat().st_size > _RECORD_LIMIT:
        raise ValueError(f"{path} is larger than {_RECORD_LIMIT >> 20} MiB: no benchmark record")
    try:
        return BenchmarkRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "as a whole"
        line = first["msg"].splitlines()[0]
        raise ValueError(
            f"{path} is no benchmark record that this Sightline reads: {where}: {line}"
        ) from None
