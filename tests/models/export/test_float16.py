"""Mixed precision in ONNX: what becomes float16 and what doesn't."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.export.float16 import to_float16
from models.export.report import ExportError

PIXELS = ("Cast", ["images"], ["float"], {"to": TensorProto.FLOAT})
SCALE = ("Mul", ["float", "factor"], ["scaled"], {})


def graph_of(nodes: Sequence[Any], outputs: Sequence[str], **weights: Any) -> Any:
    graph = helper.make_graph(
        [helper.make_node(kind, i, o, f"n_{o[0]}", **more) for kind, i, o, more in nodes],
        "test",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 8])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", None]) for n in outputs],
        [numpy_helper.from_array(np.asarray(w, np.float32), n) for n, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def types_of(model: Any) -> dict[str, str]:
    """Type of the result of each node by the node's name."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True).graph
    values = (*inferred.value_info, *inferred.output)
    types = {v.name: v.type.tensor_type.elem_type for v in values}
    return {n.name: TensorProto.DataType.Name(types[n.output[0]]) for n in inferred.node}


RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "factor": [0.01],
    "first": RANDOM.normal(size=(8, 8)),
    "second": RANDOM.normal(size=(8, 8)),
    "bias": RANDOM.normal(size=8),
}


def test_products_become_float16_and_the_rest_keeps_its_bits() -> None:
    model = graph_of(
        [
            PIXELS,
            SCALE,
            ("MatMul", ["scaled", "first"], ["hidden"], {}),
            ("Relu", ["hidden"], ["active"], {}),
            ("Softmax", ["active"], ["soft"], {}),
            ("Transpose", ["soft"], ["turned"], {}),
            ("Transpose", ["turned"], ["back"], {}),
            ("MatMul", ["back", "second"], ["last"], {}),
            ("Add", ["last", "bias"], ["logits"], {}),
            ("Sigmoid", ["logits"], ["scores"], {}),
        ],
        ["scores"],
        **WEIGHTS,
    )
    mixed, share = to_float16(model)
    assert share == 1
    types = types_of(mixed)
    half = {name for name, kind in types.items() if kind == "FLOAT16" and name.startswith("n_")}
    assert half == {"n_hidden", "n_active", "n_last"}
    # One cast into each product and one out: the chain behind the last is float32 throughout.
    casts = [node.name for node in mixed.graph.node if node.op_type == "Cast"]
    assert casts == [
        "n_float",
        "cast_scaled_float16",
        "cast_active_float32",
        "cast_back_float16",
        "cast_last_float32",
    ]
    stored = {tensor.name: tensor.data_type for tensor in mixed.graph.initializer}
    assert stored == {
        "factor": TensorProto.FLOAT,
        "bias": TensorProto.FLOAT,
        "first_half": TensorProto.FLOAT16,
        "second_half": TensorProto.FLOAT16,
    }
    pixels = RANDOM.integers(0, 256, (3, 8), dtype=np.uint8)
    before, after = (
        onnxruntime.InferenceSession(one.SerializeToString()).run(None, {"images": pixels})[0]
        for one in (model, mixed)
    )
    assert after.dtype == np.float32
    np.testing.assert_allclose(after, before, atol=5e-3)
    assert (after != before).any()


def test_a_weight_that_float16_cannot_hold_stays() -> None:
    large = {**WEIGHTS, "second": np.full((8, 8), 1e5)}
    nodes = [
        PIXELS,
        ("MatMul", ["float", "first"], ["hidden"], {}),
        ("Mul", ["hidden", "second"], ["wide"], {}),
        ("MatMul", ["wide", "first"], ["out"], {}),
    ]
    mixed, _ = to_float16(graph_of(nodes, ["out"], **large))
    types = types_of(mixed)
    assert types["n_hidden"] == types["n_out"] == "FLOAT16"
    assert types["n_wide"] == "FLOAT"


def test_an_output_made_in_float16_leaves_in_float32() -> None:
    nodes = [PIXELS, ("MatMul", ["float", "first"], ["out"], {})]
    mixed, _ = to_float16(graph_of(nodes, ["out"], **WEIGHTS))
    assert mixed.graph.output[0].name == "out"
    assert mixed.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert mixed.graph.node[-1].op_type == "Cast"


def test_a_resize_keeps_its_scales() -> None:
    nodes = [
        PIXELS,
        ("MatMul", ["float", "first"], ["hidden"], {}),
        ("Resize", ["hidden", "", "scales"], ["larger"], {"mode": "nearest"}),
        ("MatMul", ["larger", "tall"], ["out"], {}),
    ]
    weights = {"scales": [1, 2], "tall": RANDOM.normal(size=(16, 8))}
    mixed, _ = to_float16(graph_of(nodes, ["out"], **WEIGHTS, **weights))
    assert types_of(mixed)["n_larger"] == "FLOAT16"
    onnxruntime.InferenceSession(mixed.SerializeToString())


def test_what_cannot_be_mixed_is_said() -> None:
    with pytest.raises(ExportError, match="no matrix product"):
        to_float16(graph_of([PIXELS, ("Relu", ["float"], ["out"], {})], ["out"]))
    branch = helper.make_graph(
        [helper.make_node("Identity", ["float"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, ["batch", 8])],
    )
    nodes = [
        PIXELS,
        ("ReduceMax", ["images"], ["most"], {"keepdims": 0}),
        ("Cast", ["most"], ["any"], {"to": TensorProto.BOOL}),
        ("If", ["any"], ["out"], {"then_branch": branch, "else_branch": branch}),
    ]
    with pytest.raises(ExportError, match="branches or loops"):
        to_float16(graph_of(nodes, ["out"]))
