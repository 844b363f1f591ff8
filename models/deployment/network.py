"""Run a network's file with ONNX Runtime or OpenVINO. Needs NumPy and that runtime alone.

This file is part of what is shipped to predict without this project installed.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Network = Callable[[NDArray[np.uint8]], "tuple[NDArray[np.float32], ...]"]
"""Pictures (batch, height, width, 3) in, output tensors out; one call at a time."""


def open_network(
    file: Path, runtime: str, outputs: Sequence[str], shape: Sequence[int], threads: int | None
) -> Network:
    """Make a network ready to run on the CPU.

    Args:
        file: `.onnx` or OpenVINO's `.xml`.
        runtime: `onnxruntime` or `openvino`.
        outputs: names of its output tensors.
        shape: height, width and channels of its input.
        threads: CPU threads; None leaves it to the runtime.

    Raises:
        ValueError: the runtime isn't installed, or can't load the file.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads}: expected at least 1")
    opening = {"onnxruntime": _open_onnx, "openvino": _open_openvino}[runtime]
    try:
        library = importlib.import_module(runtime)
    except ModuleNotFoundError as error:
        if error.name != runtime:
            raise
        raise ValueError(
            f"{runtime} isn't installed here: pip install -r requirements.txt"
        ) from error
    try:
        return opening(library, file, list(outputs), list(shape), threads)
    except Exception as error:  # their errors have no common base
        line = (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
        raise ValueError(f"{file} is no model that {runtime} loads: {line}") from error


def _open_onnx(
    library: Any, file: Path, outputs: list[str], shape: list[int], threads: int | None
) -> Network:
    settings = library.SessionOptions()
    settings.log_severity_level = 3
    if threads is not None:
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
    # Threads that spin while they wait take the cores from decoding.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without VNNI, a processor adds int8 products in 16 bits, which overflow unless ONNX Runtime is
    # told to take a way that is a little slower; with VNNI this changes nothing.
    settings.add_session_config_entry("session.x64quantprecision", "1")
    session = library.InferenceSession(
        os.fspath(file), settings, providers=["CPUExecutionProvider"]
    )
    entry = session.get_inputs()[0]
    fixed = entry.shape[0] if isinstance(entry.shape[0], int) else None

    def run(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        return tuple(session.run(outputs, {entry.name: pictures}))

    return run if fixed is None else _in_batches(run, fixed)


def _open_openvino(
    library: Any, file: Path, outputs: list[str], shape: list[int], threads: int | None
) -> Network:
    core = library.Core()
    # Left to itself it takes bf16 where the CPU has it.
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    requests: dict[bool, Any] = {}

    def request(single: bool) -> Any:
        # A graph of one fixed picture is faster than one for any number.
        if single not in requests:
            graph = core.read_model(os.fspath(file))
            if single:
                graph.reshape({0: [1, *shape]})
            requests[single] = core.compile_model(graph, "CPU", settings).create_infer_request()
        return requests[single]

    def run(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        one = request(len(pictures) == 1)
        one.infer({0: pictures}, share_inputs=True, share_outputs=True)
        return tuple(one.get_tensor(name).data.copy() for name in outputs)

    partial = core.read_model(os.fspath(file)).input(0).get_partial_shape()[0]
    if partial.is_static:
        return _in_batches(run, partial.get_length())
    request(single=True)
    return run


def _in_batches(run: Network, size: int) -> Network:
    """Feed a network that takes a fixed number of pictures; the last is repeated to fill up."""

    def batched(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        parts = []
        for start in range(0, len(pictures), size):
            part = pictures[start : start + size]
            missing = size - len(part)
            whole = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            parts.append([output[: len(part)] for output in run(whole)])
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    return batched
