"""ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.families import family
from models.package import ModelPackage, Output
from models.package.card import Format
from models.package.onnx_data import check_onnx_data
from models.runtimes.engines import EngineOptions, Outputs, library


class OnnxRuntimeEngine:
    """Runs the package's ONNX file."""

    format: Format = "onnx"

    def __init__(self, package: ModelPackage, options: EngineOptions) -> None:
        """Load the graph.

        Raises:
            ValueError: ONNX Runtime or the device isn't there, or the file is broken.
        """
        runtime = library("onnxruntime", "export", "the runtime onnxruntime")
        if options.arithmetic != "float32":
            raise ValueError("onnxruntime computes in what the ONNX file says; use float32")
        artifact = package.artifact(self.format, options.precision)
        self.artifact = artifact.file
        providers = _providers(runtime, options.device)
        settings = runtime.SessionOptions()
        settings.log_severity_level = 3
        if options.threads is not None:
            settings.intra_op_num_threads = options.threads
            settings.inter_op_num_threads = 1
        # Threads that spin while they wait take the cores from decoding.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Without VNNI, a processor adds int8 products in 16 bits, which overflow unless ONNX
        # Runtime is told to take a way that is a little slower; with VNNI this changes nothing.
        settings.add_session_config_entry("session.x64quantprecision", "1")
        file = package.path(artifact)
        check_onnx_data(file, artifact)
        try:
            self._session: Any = runtime.InferenceSession(
                os.fspath(file), settings, providers=providers
            )
        except Exception as error:  # its errors have no common base
            line = str(error).strip().splitlines()[-1][:300]
            raise ValueError(f"{file} is no model that ONNX Runtime loads: {line}") from error
        # With a GPU library missing it falls back to the CPU and only logs it.
        used = self._session.get_providers()[0]
        wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if used != wanted and options.device != "auto":
            raise ValueError(f"device={options.device}: ONNX Runtime could not start {wanted}")
        self.device = used.removesuffix("ExecutionProvider").lower()
        self._input = package.card.input.name
        self._outputs = [output.name for output in self._described(package)]
        self._check(package, file)

    def __call__(self, inputs: NDArray[np.uint8]) -> Outputs:
        """Run one batch."""
        return tuple(self._session.run(self._outputs, {self._input: inputs}))

    def close(self) -> None:
        """Free the session."""
        self._session = None

    def _check(self, package: ModelPackage, file: Path) -> None:
        """Hold the file against `model.json` now, not when the first picture comes.

        Raises:
            ValueError: it takes or gives something else.
        """
        inputs = {one.name: one.shape for one in self._session.get_inputs()}
        wanted = list(package.card.input.shape)
        # What isn't fixed is a name or None; the batch is any number's affair.
        takes = [
            other if isinstance(other, int) else size
            for size, other in zip(wanted[1:], inputs.get(self._input, wanted)[1:], strict=False)
        ]
        if list(inputs) != [self._input] or takes != wanted[1:]:
            found = ", ".join(f"{name} {shape}" for name, shape in inputs.items())
            raise ValueError(
                f"{file} is another model than model.json says: it takes {found}, not "
                f"{self._input} {wanted}"
            )
        gives = [one.name for one in self._session.get_outputs()]
        if missing := [name for name in self._outputs if name not in gives]:
            raise ValueError(
                f"{file} is another model than model.json says: it gives {', '.join(gives)}, and "
                f"no {missing[0]}"
            )

    def _described(self, package: ModelPackage) -> Sequence[Output]:
        return package.card.outputs


class FusedEngine(OnnxRuntimeEngine):
    """Runs the ONNX file that has the postprocessor inside."""

    format = "onnx-fused"

    def _described(self, package: ModelPackage) -> Sequence[Output]:
        return family(package.card.family).fused(package.card).outputs


def _providers(runtime: Any, device: str) -> list[Any]:
    have = runtime.get_available_providers()
    kind, _, index = device.partition(":")
    cuda = ("CUDAExecutionProvider", {"device_id": int(index or 0), "use_tf32": "0"})
    if kind == "cpu" or (kind == "auto" and cuda[0] not in have):
        return ["CPUExecutionProvider"]
    if kind in ("auto", "cuda"):
        if cuda[0] not in have:
            raise ValueError(
                f"device={device}: this ONNX Runtime has no CUDA; pip install onnxruntime-gpu in "
                f"place of onnxruntime, or use device=cpu"
            )
        return [cuda, "CPUExecutionProvider"]
    raise ValueError(f"device={device}: ONNX Runtime runs here on cpu or cuda")
