"""A model package in Triton's Python backend, by ONNX Runtime or OpenVINO and numpy alone.

`sightline triton make --backend python` copies this file into the model repository as it is; what
it runs is said by `model.json` and `config.pbtxt` beside it. See
github.com/triton-inference-server/python_backend.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One instance of the model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the network.

        Args:
            args: `model_repository` is the model's folder, `model_config` its configuration.
        """
        folder = Path(args["model_repository"])
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self._input = card["input"]["name"]
        self._outputs = [output["name"] for output in card["outputs"]]
        parameters = json.loads(args["model_config"])["parameters"]
        given = {key: value["string_value"] for key, value in parameters.items()}
        load = {"onnxruntime": _onnxruntime, "openvino": _openvino}[given["runtime"]]
        version = folder / args["model_version"]
        self._run = load(version, self._input, self._outputs, int(given["threads"]))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the requests that Triton has put together as one batch."""
        tensors = [triton.get_input_tensor_by_name(r, self._input).as_numpy() for r in requests]
        try:
            outputs = self._run(tensors[0] if len(tensors) == 1 else np.concatenate(tensors))
        except Exception as error:  # of the runtime; Triton goes on
            failed = triton.TritonError(str(error)[:300])
            return [triton.InferenceResponse(error=failed) for _ in requests]
        responses, start = [], 0
        for tensor in tensors:
            end = start + len(tensor)
            parts = [
                triton.Tensor(name, np.ascontiguousarray(output[start:end]))
                for name, output in zip(self._outputs, outputs)  # noqa: B905 - Python 3.8 too
            ]
            responses.append(triton.InferenceResponse(output_tensors=parts))
            start = end
        return responses


def _onnxruntime(folder: Path, name: str, outputs: list[str], threads: int) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without VNNI, a processor adds int8 products in 16 bits, which overflow unless ONNX Runtime is
    # told to take a way that is a little slower; with VNNI this changes nothing.
    settings.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"),
        settings,
        providers=["CPUExecutionProvider"],
    )
    return lambda inputs: session.run(outputs, {name: inputs})


def _openvino(folder: Path, name: str, outputs: list[str], threads: int) -> Any:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    file = str(folder / "model.xml")
    request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()

    def run(inputs: Any) -> list[Any]:
        request.infer({name: inputs})
        return [request.get_tensor(output).data.copy() for output in outputs]

    return run
