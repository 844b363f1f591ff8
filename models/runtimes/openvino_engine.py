"""OpenVINO, set for latency or for throughput."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.package import Artifact, ModelPackage
from models.runtimes.engines import Engine, EngineOptions, Outputs, library


def open_openvino(package: ModelPackage, options: EngineOptions) -> Engine:
    """Make the engine of the mode that the options ask for.

    Raises:
        ValueError: OpenVINO or the device isn't there, or the files are broken.
    """
    if options.mode == "throughput":
        return OpenVinoQueue(package, options)
    return OpenVinoEngine(package, options)


class OpenVinoEngine:
    """Runs the package's OpenVINO files, one batch at a time on all threads.

    A graph of one fixed picture is about a sixth faster than one for any number, so single
    pictures get a graph of their own. Each of the two is compiled when it's first needed.
    """

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Read the graph.

        Raises:
            ValueError: OpenVINO or the device isn't there, or the files are broken.
        """
        self._graphs = _Graphs(package, options)
        self.artifact = self._graphs.artifact.file
        self.device = self._graphs.device
        self._outputs = [output.name for output in package.card.outputs]
        self._fixed = self._graphs.artifact.batch is not None
        self._requests: dict[bool, Any] = {}
        self._request(single=not self._fixed)

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch."""
        request = self._request(single=len(inputs) == 1 and not self._fixed)
        # Without sharing, the input would be copied; the outputs are OpenVINO's own memory.
        request.infer({0: inputs}, share_inputs=True, share_outputs=True)
        return tuple(request.get_tensor(name).data.copy() for name in self._outputs)

    def close(self) -> None:
        """Free the compiled graphs."""
        self._requests.clear()

    def _request(self, single: bool) -> Any:
        if single not in self._requests:
            self._requests[single] = self._graphs.compiled(single).create_infer_request()
        return self._requests[single]


class OpenVinoQueue:
    """Runs the package's OpenVINO files for throughput: many pictures side by side.

    Each picture is a request of its own, on few threads; OpenVINO picks how many run at a time.
    """

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Read the graph.

        Raises:
            ValueError: OpenVINO or the device isn't there, or the files are broken.
        """
        graphs = _Graphs(package, options)
        self.artifact = graphs.artifact.file
        self.device = graphs.device
        self._outputs = [output.name for output in package.card.outputs]
        self._size = graphs.artifact.batch or 1
        compiled = graphs.compiled(single=graphs.artifact.batch is None)
        self._queue: Any = graphs.openvino.AsyncInferQueue(compiled)
        self._queue.set_callback(self._done)

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch."""
        return next(iter(self.stream([inputs])))

    def stream(self, batches: Iterable[NDArray[np.uint8] | None]) -> Iterator[Outputs]:
        """Run batches side by side; see `StreamingEngine`."""
        waiting: deque[list[Outputs | None]] = deque()
        held: deque[NDArray[np.uint8]] = deque()  # lent to the requests, not copied
        try:
            for batch in batches:
                if batch is not None:
                    starts = range(0, len(batch), self._size)
                    places: list[Outputs | None] = [None] * len(starts)
                    waiting.append(places)
                    held.append(batch)
                    for index, start in enumerate(starts):
                        part = batch[start : start + self._size]
                        # Waits here while all requests are busy.
                        self._queue.start_async({0: part}, (places, index), share_inputs=True)
                # A thread that gets no core must not let the others run far ahead of it.
                if batch is None or len(waiting) > 4 * len(self._queue):
                    self._queue.wait_all()
                while waiting and None not in waiting[0]:
                    yield _joined(waiting.popleft())
                    held.popleft()
        finally:
            self._queue.wait_all()
        while waiting:
            yield _joined(waiting.popleft())

    def close(self) -> None:
        """Free the compiled graph."""
        self._queue = None

    def _done(self, request: Any, ticket: tuple[list[Outputs | None], int]) -> None:
        places, index = ticket
        places[index] = tuple(request.get_tensor(name).data.copy() for name in self._outputs)


def _joined(places: list[Outputs | None]) -> Outputs:
    done = [outputs for outputs in places if outputs is not None]
    assert len(done) == len(places)
    if len(done) == 1:
        return done[0]
    return tuple(np.concatenate(same) for same in zip(*done, strict=True))


class _Graphs:
    """The package's graph, to be compiled for one picture or as it is."""

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        self.openvino = library("openvino", "export", "the runtime openvino")
        self.artifact = package.artifact("openvino", options.precision)
        self._core: Any = self.openvino.Core()
        self.device = _device(self._core, options.device)
        if options.arithmetic == "bfloat16" and not computes_bfloat16(self._core, self.device):
            # Without a word it would compute in float32.
            raise ValueError(
                f"openvino doesn't compute in bfloat16 on {self.device} of this machine; use "
                f"float32"
            )
        self._settings = {
            "PERFORMANCE_HINT": options.mode.upper(),
            # Left to itself it takes bf16 where the CPU has it.
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[options.arithmetic],
        }
        if options.threads is not None and self.device == "CPU":
            self._settings["INFERENCE_NUM_THREADS"] = str(options.threads)
        self._file = os.fspath(package.path(self.artifact))
        self._weights = _weights(package, self.artifact)
        self._shape = [1, *package.card.input.shape[1:]]

    def compiled(self, single: bool) -> Any:
        try:
            # Left to itself it takes what lies beside, whatever the package says.
            graph = self._core.read_model(self._file, self._weights)
            if single:
                graph.reshape({0: self._shape})
            return self._core.compile_model(graph, self.device, self._settings)
        except RuntimeError as error:
            line = str(error).strip().splitlines()[-1][:300]
            raise ValueError(
                f"{self._file} is no model that OpenVINO loads on {self.device}: {line}"
            ) from error


def computes_bfloat16(core: Any, device: str = "CPU") -> bool:
    """Say whether a device has instructions for bfloat16."""
    return "BF16" in core.get_property(device, "OPTIMIZATION_CAPABILITIES")


def _weights(package: ModelPackage, artifact: Artifact) -> str:
    """Find the file of weights among those that `model.json` names, which are checked."""
    name = PurePosixPath(artifact.file).with_suffix(".bin").as_posix()
    if name not in {file.file for file in artifact.files}:
        raise ValueError(f"{package.folder}: model.json names no {name} beside {artifact.file}")
    return os.fspath(package.sources[name])


def _device(core: Any, name: str) -> str:
    wanted = "CPU" if name == "auto" else name.upper()
    have = core.available_devices
    if wanted.partition(".")[0] not in {device.partition(".")[0] for device in have}:
        raise ValueError(f"device={name}: OpenVINO sees no such device here, it sees: {have}")
    return wanted
