"""What precision a TensorRT engine is asked for, and which one it has.

Precision is decided in the ONNX file, once for TensorRT 10 and 11: both then build a strongly typed
network, whose layers are of the types that the graph says. (11 dropped the builder's FP16 and INT8
flags and its calibrators; with 10's flags the builder may silently take another type.)
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.export.float16 import MOVES, PRODUCTS
from models.export.report import ExportError
from models.package.card import Precision

LEAST_SHARE = 0.9
"""Of the matrix products that must have the wanted precision: a few may be merged into others."""

_KINDS = {
    "int8": re.compile(r"\bint8\b", re.IGNORECASE),
    "float16": re.compile(r"\b(half|fp16)\b", re.IGNORECASE),
    "float32": re.compile(r"\b(float|fp32)\b", re.IGNORECASE),
    "other": re.compile(r"\b(bf16|bfloat16|fp8|fp4|int4)\b", re.IGNORECASE),
}
"""By the names that the inspector uses, with a context (`FP16`) and without (`Half`)."""


@dataclass(frozen=True)
class Wanted:
    """What an engine made of an ONNX file must be like."""

    precision: Precision
    products: frozenset[str]
    """Names of the nodes that must compute in it; not asked for float32, where all must."""


def wanted(graph: Any, precision: Precision) -> Wanted:
    """Read from an ONNX graph which nodes must have a precision.

    Raises:
        ExportError: the graph isn't of this precision.
    """
    if precision == "int8":
        check_quantised(graph)
    found = frozenset(_products(graph, precision))
    if not found:
        raise ExportError(f"the ONNX graph has no matrix product in {precision} for TensorRT")
    return Wanted(precision, found)


def check_quantised(graph: Any) -> None:
    """Make sure that a quantised ONNX graph is of the one form that TensorRT takes.

    That is QuantizeLinear and DequantizeLinear with int8 and zero points of 0.

    Raises:
        ExportError: it isn't, and where.
    """
    from onnx import TensorProto, numpy_helper

    values = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    values[node.output[0]] = attribute.t
    pairs = [n for n in graph.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    if not {n.op_type for n in pairs} >= {"QuantizeLinear", "DequantizeLinear"}:
        raise ExportError("the int8 ONNX file has no QuantizeLinear and DequantizeLinear pairs")
    for node in pairs:
        zero = node.input[2] if len(node.input) > 2 else ""
        kinds = [a.i for a in node.attribute if a.name == "output_dtype" and a.i]
        if zero and zero not in values:
            raise ExportError(f"TensorRT needs constant zero points; '{node.name}' computes its")
        kind = values[zero].data_type if zero else (kinds[0] if kinds else None)
        # Without a zero point a QuantizeLinear makes uint8; a DequantizeLinear takes what comes.
        if kind is None:
            kind = TensorProto.UINT8 if node.op_type == "QuantizeLinear" else TensorProto.INT8
        if kind != TensorProto.INT8 or (zero and numpy_helper.to_array(values[zero]).any()):
            name = TensorProto.DataType.Name(kind).lower()
            raise ExportError(
                f"TensorRT takes int8 with a zero point of 0 only; '{node.name}' of the int8 ONNX "
                f"file has {name}{'' if kind != TensorProto.INT8 else ' with another zero point'}: "
                f"quantise symmetrically to int8"
            )


def _products(graph: Any, precision: Precision) -> Iterable[str]:
    """Name the matrix products of a graph that compute in a precision."""
    from onnx import TensorProto, shape_inference

    inner = shape_inference.infer_shapes(graph).graph
    values = (*inner.value_info, *inner.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    maker = {name: node for node in inner.node for name in node.output}

    def quantised(name: str) -> bool:
        node = maker.get(name)
        while node is not None and node.op_type in MOVES:
            node = maker.get(node.input[0])
        return node is not None and node.op_type == "DequantizeLinear"

    for node in inner.node:
        if node.op_type not in PRODUCTS:
            continue
        if all(quantised(name) for name in node.input[:2]):
            found = "int8"
        else:
            half = types.get(node.output[0]) == TensorProto.FLOAT16
            found = "float16" if half else "float32"
        if found == precision:
            yield node.name


def check_precision(information: str, asked: Wanted) -> dict[str, int]:
    """Hold an engine's layers against what was asked for.

    Args:
        information: all layers as JSON, from TensorRT's engine inspector.
        asked: from `wanted`.

    Returns:
        How many layers of the engine have which precision.

    Raises:
        ExportError: the engine has another precision.
    """
    layers = _layers(information)
    kinds = [_kind(layer) for layer in layers]
    counts = dict(Counter(kind for kind in kinds if kind))
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none typed"
    if not counts:
        raise ExportError("TensorRT's inspector says nothing about the layers' precisions")
    if asked.precision == "float32":
        if set(counts) != {"float32"}:
            raise ExportError(f"TensorRT was asked for float32 and built other layers: {said}")
        return counts
    done = Counter(
        kind == asked.precision
        for layer, kind in zip(layers, kinds, strict=True)
        for _ in asked.products & _origins(layer)
        if kind
    )
    seen = done[True] + done[False]
    # Where the layers name no nodes of the graph, one of the precision must do.
    good = done[True] >= LEAST_SHARE * seen if seen else asked.precision in counts
    if not good:
        raise ExportError(
            f"TensorRT was asked for {asked.precision} and built {done[True]} of the "
            f"{len(asked.products)} matrix products so ({seen} found); all layers: {said}"
        )
    return counts


def _layers(information: str) -> Sequence[Mapping[str, Any]]:
    try:
        found = json.loads(information)["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError("TensorRT's inspector gave no list of layers") from error
    # Built without detailed verbosity they are mere names.
    return [layer for layer in found if isinstance(layer, dict)]


def _kind(layer: Mapping[str, Any]) -> str | None:
    """The narrowest type among a layer's inputs and outputs; None for one without numbers."""
    types = " ".join(
        str(tensor.get("Format/Datatype", ""))
        for part in ("Inputs", "Outputs")
        for tensor in layer.get(part) or ()
        if isinstance(tensor, dict)
    )
    return next((kind for kind, words in _KINDS.items() if words.search(types)), None)


def _origins(layer: Mapping[str, Any]) -> set[str]:
    """Names of the ONNX nodes that a layer was made of."""
    said = str(layer.get("Metadata", ""))
    names = re.findall(r"\[ONNX Layer: ([^\]]+)\]", said)
    return {*names, *str(layer.get("Name", "")).split(" + ")}
