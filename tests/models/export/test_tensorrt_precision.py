"""Precision of TensorRT engines: planned from the ONNX file, read back from the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.export import ExportError
from models.export.tensorrt_format import cast_first
from models.export.tensorrt_precision import Wanted, check_precision, check_quantised, wanted
from models.package import ModelPackage


def float_graph(half: bool = False) -> Any:
    """Pixels, transposed before they are cast, then two products."""
    kind = np.float16 if half else np.float32
    names = ("first", "second")
    weights = [numpy_helper.from_array(np.ones((8, 8), kind), name) for name in names]
    to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = [
        helper.make_node("Transpose", ["images"], ["turned"], "turn", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["turned"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Cast", ["float"], ["given"], "cast2", to=to),
        helper.make_node("MatMul", ["given", "first"], ["hidden"], "product1"),
        helper.make_node("MatMul", ["hidden", "second"], ["made"], "product2"),
        helper.make_node("Cast", ["made"], ["out"], "cast3", to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 8, 8, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def quantised_graph(zero: int | None = 0, kind: Any = np.int8) -> Any:
    weights = [
        numpy_helper.from_array(np.array(0.1, np.float32), "scale"),
        numpy_helper.from_array(np.ones((8, 8), np.int8), "stored"),
    ]
    third = []
    if zero is not None:
        weights.append(numpy_helper.from_array(np.array(zero, kind), "zero"))
        third = ["zero"]
    weights.append(numpy_helper.from_array(np.array(0, np.int8), "none"))
    nodes = [
        helper.make_node("QuantizeLinear", ["given", "scale", *third], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "scale", *third], ["dq"], "dequantise"),
        helper.make_node("DequantizeLinear", ["stored", "scale", "none"], ["weight"], "weight"),
        helper.make_node("Transpose", ["weight"], ["turned"], "turn"),
        helper.make_node("MatMul", ["dq", "turned"], ["hidden"], "int8 product"),
        helper.make_node("MatMul", ["hidden", "weight"], ["out"], "float product"),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 8])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_the_graph_says_which_products_must_have_the_precision() -> None:
    assert wanted(float_graph(), "float32").products == {"product1", "product2"}
    assert wanted(float_graph(half=True), "float16").products == {"product1", "product2"}
    assert wanted(quantised_graph(), "int8").products == {"int8 product"}
    with pytest.raises(ExportError, match="no matrix product in float16 for TensorRT"):
        wanted(float_graph(), "float16")


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (quantised_graph(0, np.uint8), "'quantise' of the int8 ONNX file has uint8:"),
        (quantised_graph(3), "has int8 with another zero point:"),
        (quantised_graph(None), "'quantise' of the int8 ONNX file has uint8:"),
        (float_graph(), "no QuantizeLinear and DequantizeLinear pairs"),
    ],
)
def test_other_quantised_forms_are_refused(graph: Any, words: str) -> None:
    with pytest.raises(ExportError) as caught:
        check_quantised(graph)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def layer(name: str, given: str, made: str, nodes: str = "") -> dict[str, Any]:
    """As the engine inspector tells it; with a context types are told in more words."""
    said = "\x1f".join(f"[ONNX Layer: {node}]" for node in nodes.split(",") if node)
    return {
        "Name": name,
        "LayerType": "gemm",
        "Inputs": [{"Name": "a", "Format/Datatype": given}],
        "Outputs": [{"Name": "b", "Format/Datatype": made}],
        "Metadata": said,
    }


def told(*layers: Any) -> str:
    return json.dumps({"Layers": layers, "Bindings": ["images"]})


FP16 = "Channel major FP16 format where channel % 8 == 0"
TWO = frozenset({"product1", "product2"})


@pytest.mark.parametrize(
    ("precision", "information", "counts"),
    [
        ("float32", told(layer("x", "Float", "Float"), layer("y", "UInt8", "Float")), 2),
        ("float16", told(layer("x", "Half", "Half", "product1,product2,add")), 1),
        (
            "float16",
            told(layer("product1 + relu", FP16, FP16), layer("product2", "Half", "Half")),
            2,
        ),
        ("int8", told(layer("x", "Row major Int8 format", "Float", "product1,product2")), 1),
        ("float16", told(layer("__myl_Fused", "Half", "Half"), layer("y", "Float", "Float")), 1),
    ],
)
def test_the_engine_that_was_asked_for_passes(
    precision: Any, information: str, counts: int
) -> None:
    assert check_precision(information, Wanted(precision, TWO))[precision] == counts


@pytest.mark.parametrize(
    ("precision", "information", "words"),
    [
        ("float32", told(layer("x", "Half", "Float")), "built other layers: 1 float16"),
        ("float32", told(layer("x", "BF16", "BF16")), "built other layers: 1 other"),
        (
            "float16",
            told(layer("x", "Float", "Float", "product1,product2")),
            "asked for float16 and built 0 of the 2 matrix products so (2 found); all layers: "
            "1 float32",
        ),
        (
            "int8",
            told(layer("x", "UInt8", "Half", "product1"), layer("y", "Int8", "Int8", "product2")),
            "built 1 of the 2",
        ),
        ("float16", told(layer("x", "Float", "Float", "another")), "(0 found)"),
        ("int8", told(layer("x", "Half", "UInt8", "another")), "(0 found)"),
        ("float16", told("x", "y"), "says nothing about the layers' precisions"),
        ("float16", "not JSON", "gave no list of layers"),
    ],
)
def test_another_engine_is_refused(precision: Any, information: str, words: str) -> None:
    with pytest.raises(ExportError) as caught:
        check_precision(information, Wanted(precision, TWO))
    assert words in str(caught.value)


def test_pixels_become_float_before_they_are_moved() -> None:
    """TensorRT takes uint8 only into a cast."""
    before, after = float_graph(), cast_first(float_graph())
    assert [node.op_type for node in after.graph.node[:3]] == ["Cast", "Transpose", "Cast"]
    onnx.checker.check_model(after, full_check=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    # The products' own axes don't matter here: what comes in must be the same.
    results = [
        onnxruntime.InferenceSession(one.SerializeToString()).run(None, {"images": pixels[..., :]})
        for one in (_square(before), _square(after))
    ]
    assert (results[0][0] == results[1][0]).all()
    unchanged = quantised_graph()
    assert cast_first(quantised_graph()) == unchanged


def _square(model: Any) -> Any:
    """Let the graph end where the pixels are float."""
    del model.graph.node[3:]
    model.graph.node[2].output[0] = "out"
    return model


def test_a_shipped_network_starts_with_a_cast(exported: Path) -> None:
    graph = cast_first(onnx.load(exported / "model.onnx"))
    first = [node.op_type for node in graph.graph.node if "images" in node.input]
    assert first == ["Cast"]
    onnx.checker.check_model(graph, full_check=True)
    card = ModelPackage.load(exported).card
    noise = np.random.default_rng(0).integers(0, 256, (2, *card.input.shape[1:]), dtype=np.uint8)
    runs = [
        onnxruntime.InferenceSession(one).run(None, {"images": noise})
        for one in (exported / "model.onnx", graph.SerializeToString())
    ]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_allclose(np.sort(one, 1), np.sort(other, 1), atol=1e-5)
    assert len(wanted(graph, "float32").products) > 20
