"""OpenVINO, set for latency."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.package import ModelPackage
from models.runtimes.engines import EngineOptions, Outputs, library


class OpenVinoEngine:
    """Runs the package's OpenVINO files.

    A graph of one fixed picture is about a sixth faster than one for any number, so single
    pictures get a graph of their own. Each of the two is compiled when it's first needed.
    """

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Read the graph.

        Raises:
            ValueError: OpenVINO or the device isn't there, or the files are broken.
        """
        openvino = library("openvino", "export", "the runtime openvino")
        artifact = package.artifact("openvino", options.precision)
        self.artifact = artifact.file
        self._core: Any = openvino.Core()
        self.device = _device(self._core, options.device)
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            # Left to itself it takes bf16 where the CPU has it.
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[options.arithmetic],
        }
        if options.threads is not None and self.device == "CPU":
            self._settings["INFERENCE_NUM_THREADS"] = str(options.threads)
        self._file = os.fspath(package.path(artifact))
        self._shape = [1, *package.card.input.shape[1:]]
        self._fixed = artifact.batch is not None
        self._outputs = [output.name for output in package.card.outputs]
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
            try:
                graph = self._core.read_model(self._file)
                if single:
                    graph.reshape({0: self._shape})
                compiled = self._core.compile_model(graph, self.device, self._settings)
            except RuntimeError as error:
                line = str(error).strip().splitlines()[-1][:300]
                raise ValueError(
                    f"{self._file} is no model that OpenVINO loads on {self.device}: {line}"
                ) from error
            self._requests[single] = compiled.create_infer_request()
        return self._requests[single]


def _device(core: Any, name: str) -> str:
    wanted = "CPU" if name == "auto" else name.upper()
    have = core.available_devices
    if wanted.partition(".")[0] not in {device.partition(".")[0] for device in have}:
        raise ValueError(f"device={name}: OpenVINO sees no such device here, it sees: {have}")
    return wanted
