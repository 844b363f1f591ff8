"""ONNX INT8 with QuantizeLinear and DequantizeLinear nodes, as ONNX Runtime and TensorRT take it.

TensorRT takes int8 with zero-point 0 and no other, so all ranges are symmetric, and biases stay in
float: it refuses the int32 ones that ONNX Runtime's quantiser writes by default.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from models.export.onnx_format import check_shapes
from models.export.report import ExportError
from models.package import ModelCard
from models.quantization.calibration import Calibration
from models.quantization.options import QuantizeOptions
from models.reporting import Reporter
from models.runtimes.engines import library

_WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


@dataclass(frozen=True)
class OnnxLayer:
    """A layer with weights."""

    name: str
    kind: str
    int8: bool


class _Reader:
    """Hands calibration pictures to ONNX Runtime's quantiser."""

    def __init__(self, name: str, calibration: Calibration, reporter: Reporter) -> None:
        self._name, self._calibration, self._reporter = name, calibration, reporter
        self._given = 0
        self._inputs: Iterator[NDArray[np.uint8]] = iter(calibration)

    def __len__(self) -> int:
        return len(self._calibration)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Hand out these pictures next, and then no more."""
        chosen = self._calibration.indices[start_index:end_index]
        self._inputs = map(self._calibration.input, chosen)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Give the next picture, None after the last."""
        found = next(self._inputs, None)
        if found is None:
            return None
        self._given += 1
        self._reporter.progress("calibrating ONNX", self._given, len(self._calibration))
        return {self._name: found}


def quantize_onnx(
    source: Path,
    target: Path,
    card: ModelCard,
    calibration: Calibration,
    options: QuantizeOptions,
    reporter: Reporter,
) -> tuple[str, dict[str, str]]:
    """Write the INT8 form of an ONNX file.

    Args:
        source: in float32, from `write_onnx`.
        target: to write.
        card: of the model.
        calibration: gives ranges of values.
        options: operators, ranges and what stays in float.
        reporter: takes progress.

    Returns:
        The tool with its version, and by name why layers of the chosen operators stayed in float.

    Raises:
        ValueError: ONNX Runtime isn't installed, or no node fits `float_layers`.
        ExportError: what was written isn't what TensorRT takes.
    """
    onnx = library("onnx", "export", "quantisation for ONNX")
    runtime = library("onnxruntime", "export", "quantisation for ONNX")
    library("onnxruntime.quantization", "export", "quantisation for ONNX")
    from onnxruntime import quantization

    methods = quantization.CalibrationMethod
    kept = _kept(onnx.load(source), options)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _quiet():
            quantization.quantize_static(
                os.fspath(source),
                os.fspath(Path(scratch) / "int8.onnx"),
                _Reader(card.input.name, calibration, reporter),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(options.onnx_operators),
                nodes_to_exclude=list(kept),
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method={
                    "minmax": methods.MinMax,
                    "entropy": methods.Entropy,
                    "percentile": methods.Percentile,
                }[options.onnx_ranges],
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "MatMulConstBOnly": True,
                    # Histograms are made from whole tensors: those of one picture at a time.
                    "CalibStridedMinMax": None if options.onnx_ranges == "minmax" else 1,
                },
            )
        graph = onnx.load(Path(scratch) / "int8.onnx")
    check_shapes(graph, card)
    check_int8(graph)
    onnx.checker.check_model(graph, full_check=True)
    target.write_bytes(graph.SerializeToString(deterministic=True))
    return f"onnxruntime {runtime.__version__}", kept


def check_int8(graph: Any) -> None:
    """Make sure that TensorRT can take a graph's numbers.

    Raises:
        ExportError: a QuantizeLinear or DequantizeLinear is not int8 or has a zero-point other
            than 0.
    """
    from onnx import TensorProto, numpy_helper

    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    found = 0
    for node in graph.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        found += 1
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None or zero.data_type != TensorProto.INT8:
            raise ExportError(f"{node.op_type} '{node.name}' of the INT8 ONNX file is not int8")
        if np.any(numpy_helper.to_array(zero)):
            raise ExportError(f"{node.op_type} '{node.name}' has a zero-point other than 0")
    if not found:
        raise ExportError("the INT8 ONNX file has no QuantizeLinear: nothing was quantised")


def onnx_layers(graph: Any) -> list[OnnxLayer]:
    """List the layers with weights of an ONNX graph, in their order."""
    maker = {output: node for node in graph.graph.node for output in node.output}
    constants = {tensor.name for tensor in graph.graph.initializer}

    def dequantized(name: str) -> bool:
        return name in maker and maker[name].op_type == "DequantizeLinear"

    def constant(name: str) -> bool:
        if name in constants:
            return True
        node = maker.get(name)
        return node is not None and bool(node.input) and all(constant(one) for one in node.input)

    return [
        OnnxLayer(node.name, node.op_type, all(dequantized(name) for name in node.input[:2]))
        for node in graph.graph.node
        if node.op_type in _WEIGHTED and any(constant(name) for name in node.input[:2])
    ]


def _kept(graph: Any, options: QuantizeOptions) -> dict[str, str]:
    """Say by name which layers stay in float, and why."""
    names = {layer.name for layer in onnx_layers(graph) if layer.kind in options.onnx_operators}
    found: dict[str, str] = {}
    if "decoder" in options.float_parts:
        inside: set[str] = set()
        for node in graph.graph.node:  # in an order in which inputs come first
            if node.op_type == "TopK" or inside & set(node.input):
                inside |= set(node.output)
                if node.name in names:
                    found[node.name] = "float_parts=decoder"
    for pattern in options.float_layers:
        fits = [name for name in sorted(names) if re.search(pattern, name)]
        found |= dict.fromkeys(fits, f"float_layers={pattern}")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice and lines to itself: what it advises is done already."""
    from onnxruntime.quantization import calibrate

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with patch.object(calibrate, "print", lambda *_, **__: None, create=True):
            yield
    finally:
        logging.disable(before)
