"""What a runtime must do, and which there are. Adding one is a module and a line in `_ENGINES`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.package import ModelPackage
from models.package.card import Format, Precision

Outputs = tuple[NDArray[np.float32], ...]
"""The output tensors in the order of `model.json`."""


@dataclass(frozen=True)
class EngineOptions:
    """How a runtime is to run."""

    device: str = "auto"
    """`auto` (a GPU that the runtime can use, else the CPU), `cpu`, `cuda`, `cuda:1`, or for
    OpenVINO any of its device names."""
    threads: int | None = None
    """CPU threads; None leaves it to the runtime."""
    arithmetic: Literal["float32", "bfloat16"] = "float32"
    """What the network computes in, unless the artifact itself says otherwise."""
    precision: Precision | None = None
    """Which artifact of the runtime's format to run; None takes the first."""
    url: str | None = None
    """For the runtime remote: `http://HOST:PORT/v2/models/NAME` of an Open Inference Protocol
    server, all of whose other options are its own."""
    mode: Literal["latency", "throughput"] = "latency"
    """`throughput` is OpenVINO's: many pictures at once, each on few threads; a single one takes
    longer."""
    compiled: bool = False
    """Let PyTorch compile the network (torch.compile): seconds to minutes at the start, and again
    at the first batch of another size. Needs a C++ compiler on the CPU."""

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads={self.threads}: expected at least 1")


class Engine(Protocol):
    """A network ready to run. One call at a time."""

    artifact: str
    """The file of the package that runs, or the address of what a server runs."""
    device: str
    """Where it runs."""

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch.

        Args:
            inputs: (batch, height, width, 3), contiguous, of the package's input size.

        Returns:
            Arrays of the caller's own, which later calls leave alone.
        """

    def close(self) -> None:
        """Free what it holds."""


@runtime_checkable
class StreamingEngine(Engine, Protocol):
    """A network that works on several batches at once."""

    def stream(self, batches: Iterable[NDArray[np.uint8] | None]) -> Iterator[Outputs]:
        """Run batches, and give each one's outputs in their order.

        Args:
            batches: taken as there is room for more work, so they may be made on the way. None is
                no batch: the next one may be long in coming, so give all that is under way first.
        """


@dataclass(frozen=True)
class RuntimeEntry:
    """Where the code of a runtime is and what it runs."""

    engine: str
    """Module and callable `(package, options) -> Engine`."""
    format: Format | None
    """None: another machine runs it."""
    fused: bool = False
    """Whether the postprocessor is inside what it runs."""


RUNTIMES: dict[str, RuntimeEntry] = {
    "torch": RuntimeEntry("models.runtimes.torch_engine:TorchEngine", "safetensors"),
    "onnxruntime": RuntimeEntry("models.runtimes.onnxruntime_engine:OnnxRuntimeEngine", "onnx"),
    "onnxruntime-fused": RuntimeEntry(
        "models.runtimes.onnxruntime_engine:FusedEngine", "onnx-fused", fused=True
    ),
    "openvino": RuntimeEntry("models.runtimes.openvino_engine:open_openvino", "openvino"),
    "tensorrt": RuntimeEntry("models.runtimes.tensorrt_engine:TensorRtEngine", "tensorrt"),
    "remote": RuntimeEntry("models.runtimes.remote_engine:RemoteEngine", None),
}


def load_engine(package: ModelPackage, runtime: str, options: EngineOptions) -> Engine:
    """Make a package's network ready to run.

    Raises:
        ValueError: no such runtime, its library or device is not there, or the package holds
            nothing that it runs.
    """
    entry = RUNTIMES.get(runtime)
    if entry is None:
        raise ValueError(f"no runtime '{runtime}'; there are: {', '.join(RUNTIMES)}")
    artifact = package.artifact(entry.format, options.precision) if entry.format else None
    if entry.format and options.url is not None:
        raise ValueError(f"url={options.url}: the runtime {runtime} runs here; use remote")
    if options.mode == "throughput" and runtime != "openvino":
        raise ValueError(f"mode=throughput: {runtime} has no such mode, openvino has")
    if options.compiled and runtime != "torch":
        raise ValueError(f"compiled=true: that is for the runtime torch, {runtime} needs none")
    module, name = entry.engine.split(":")
    make: Callable[[ModelPackage, EngineOptions], Engine]
    make = getattr(importlib.import_module(module), name)
    engine = make(package, options)
    if artifact is None or artifact.batch is None:
        return engine
    from models.runtimes.fixed_batch import FixedBatch

    return FixedBatch(engine, artifact.batch)


def library(name: str, extra: str, reason: str) -> ModuleType | Any:
    """Import an optional library.

    Args:
        name: of the module.
        extra: the extra of this distribution that installs it.
        reason: what it is needed for.

    Raises:
        ValueError: it isn't installed, and how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        raise ValueError(
            f"{reason} needs {error.name}, which is not installed here: "
            f"pip install 'sightline[{extra}]'"
        ) from error
