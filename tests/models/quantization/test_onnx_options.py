"""Each option of the ONNX form changes what it says it changes, on a small graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.export.report import ExportError
from models.families import family
from models.package import ModelCard
from models.quantization.calibration import Calibration
from models.quantization.onnx_int8 import check_int8, onnx_layers, quantize_onnx
from models.quantization.options import QuantizeOptions
from models.reporting import Silence

Write = Callable[..., Path]


def quantized(source: Path, card: ModelCard, squares: Path, **options: Any) -> tuple[Any, dict]:
    wanted = QuantizeOptions.model_validate({"calibration_pictures": 6, **options})
    chosen = Calibration(family("detection"), card, squares, 6, 0)
    target = source.with_name("int8.onnx")
    tool, kept = quantize_onnx(source, target, card, chosen, wanted, Silence())
    assert tool.startswith("onnxruntime ")
    return onnx.load(target), kept


def in_int8(graph: Any) -> set[str]:
    return {layer.name for layer in onnx_layers(graph) if layer.int8}


def test_operators_and_float_layers(toy: Write, card: ModelCard, squares: Path) -> None:
    source = toy()
    convolutions = {"first", "steady", "fragile", "last"}
    assert {layer.name for layer in onnx_layers(onnx.load(source))} == {*convolutions, "dense"}
    graph, kept = quantized(source, card, squares)
    assert in_int8(graph) == convolutions and not kept
    graph, _ = quantized(source, card, squares, onnx_operators=["Conv", "MatMul"])
    assert in_int8(graph) == {*convolutions, "dense"}
    graph, kept = quantized(source, card, squares, float_layers=["^fra", "first"])
    assert in_int8(graph) == {"steady", "last"}
    assert kept == {"fragile": "float_layers=^fra", "first": "float_layers=first"}


def test_a_decoder_stays_in_float(exported: Path, squares: Path) -> None:
    from models.package import ModelPackage
    from models.quantization.onnx_int8 import _kept

    card = ModelPackage.load(exported).card
    assert card.class_names == ("red", "blue")
    options = QuantizeOptions(onnx_operators=("Conv", "MatMul"), float_parts=("decoder",))
    kept = _kept(onnx.load(exported / "model.onnx"), options)
    assert len(kept) > 20 and set(kept.values()) == {"float_parts=decoder"}


def test_ways_to_take_ranges_give_other_scales(toy: Write, card: ModelCard, squares: Path) -> None:
    source, scales = toy(), []
    for way in ("minmax", "entropy", "percentile"):
        graph, _ = quantized(source, card, squares, onnx_ranges=way)
        held = {tensor.name: tensor for tensor in graph.graph.initializer}
        names = [n.input[1] for n in graph.graph.node if n.op_type == "QuantizeLinear"]
        scales.append([float(numpy_helper.to_array(held[name]).max()) for name in names])
    assert scales[0] != scales[1] and scales[0] != scales[2]


@pytest.mark.parametrize(
    ("kind", "zero", "words"),
    [
        (TensorProto.UINT8, 0, "is not int8"),
        (TensorProto.INT8, 3, "has a zero-point other than 0"),
        (None, 0, "nothing was quantised"),
    ],
)
def test_what_tensorrt_would_not_take_is_refused(kind: int | None, zero: int, words: str) -> None:
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="here")
    types = {TensorProto.UINT8: np.uint8, TensorProto.INT8: np.int8}
    value = numpy_helper.from_array(np.array(zero, types.get(kind or 0, np.int8)), "z")
    graph = helper.make_graph([node] if kind else [], "g", [], [], [value])
    with pytest.raises(ExportError, match=words):
        check_int8(helper.make_model(graph))
