"""Mixed precision in ONNX: matrix products in float16, what needs the bits in float32.

Ready-made converters round every tensor to float16 between two nodes that they keep in float32, so
that a chain such as the decoding of boxes is float32 in name only. Here a tensor is as precise as
the node that makes it, and is cast once where the precision changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.export.report import ExportError

PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
"""Where the time goes, and what hardware does faster in float16."""

FLOAT32 = frozenset(
    {
        # Sums over many numbers, and what divides by them.
        "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
        "LpNormalization", "MeanVarianceNormalization", "RMSNormalization",
        "CumSum", "Einsum", "GlobalAveragePool", "LogSoftmax", "Softmax",
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceProd",
        "ReduceSum", "ReduceSumSquare",
        # Steep functions.
        "Div", "Exp", "Log", "Pow", "Reciprocal", "Sqrt",
        # Positions in the picture, and the choice of the surest.
        "GridSample", "NonMaxSuppression", "RoiAlign", "TopK",
        # Their kind of number is an attribute, or partly fixed.
        "Constant", "ConstantOfShape", "DequantizeLinear", "QuantizeLinear", "Range",
    }
)  # fmt: skip
"""Operators that stay float32."""

MOVES = frozenset(
    {
        "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
        "Identity", "Pad", "Reshape", "ScatterElements", "ScatterND", "Slice", "SpaceToDepth",
        "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
"""Operators that compute nothing: they keep the precision of what they move."""

_FLOAT_INPUTS = {"Resize": (0,)}
"""Inputs that follow the node's precision, where the others are float32 by definition."""
_FINITE = float(np.finfo(np.float16).max)


def to_float16(graph: Any) -> tuple[Any, float]:
    """Make a graph in float32 a mixed one; its inputs and outputs stay what they are.

    Matrix products and the nodes between them become float16. Float32 stay: the operators of
    `FLOAT32`, all before the first matrix product (normalisation of pixels) and all behind the
    last one (scores, and the decoding of boxes).

    Args:
        graph: ONNX, as `onnx.ModelProto`; left as it is.

    Returns:
        The mixed graph, and the share of matrix products that are float16.

    Raises:
        ExportError: nothing in it could be made float16, or it holds graphs in nodes.
    """
    from onnx import shape_inference

    mixed = type(graph)()
    mixed.CopyFrom(shape_inference.infer_shapes(graph, strict_mode=True))
    inner = mixed.graph
    if any(
        attribute.HasField("g") or attribute.graphs for n in inner.node for attribute in n.attribute
    ):
        raise ExportError(
            "float16: the network's ONNX graph has branches or loops, which stay float32"
        )
    halves = _halves(inner)
    products = [index for index, node in enumerate(inner.node) if node.op_type in PRODUCTS]
    done = sum(index in halves for index in products)
    if not done:
        raise ExportError("float16: the network's ONNX graph has no matrix product for float16")
    _Converter(inner, halves).convert()
    # They tell the old types.
    del inner.value_info[:]
    return mixed, done / len(products)


def _halves(graph: Any) -> set[int]:
    """Choose the nodes, by index, that compute in float16."""
    floats = _float_tensors(graph)
    too_large = {
        tensor.name for tensor in graph.initializer if tensor.name in floats and _overflows(tensor)
    }
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output}
    behind_product: set[int] = set()
    for index, node in enumerate(graph.node):  # makers come first in an ONNX graph
        sources = {maker[name] for name in node.input if name in maker}
        if node.op_type in PRODUCTS or sources & behind_product:
            behind_product.add(index)
    last = _last(graph, maker)
    chosen: set[int] = set()
    for index, node in enumerate(graph.node):
        if not {*node.input, *node.output} & floats or too_large & set(node.input):
            continue
        if node.op_type in PRODUCTS:
            chosen.add(index)
        elif node.op_type in FLOAT32 or index in last or index not in behind_product:
            continue
        elif node.op_type in MOVES:
            moved = [maker.get(name, -1) for name in node.input if name in floats]
            if any(source in chosen for source in moved):
                chosen.add(index)
        else:
            chosen.add(index)
    return chosen


def _last(graph: Any, maker: dict[str, int]) -> set[int]:
    """Find the nodes from which an output is reached without a matrix product, by index."""
    found: set[int] = set()
    left = [maker[value.name] for value in graph.output if value.name in maker]
    while left:
        index = left.pop()
        if index in found or graph.node[index].op_type in PRODUCTS:
            continue
        found.add(index)
        left += [maker[name] for name in graph.node[index].input if name in maker]
    return found


def _float_tensors(graph: Any) -> set[str]:
    from onnx import TensorProto

    values = (*graph.input, *graph.output, *graph.value_info)
    names = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return names | {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}


def _overflows(tensor: Any) -> bool:
    from onnx import numpy_helper

    return bool(np.abs(numpy_helper.to_array(tensor)).max(initial=0.0) > _FINITE)


class _Converter:
    """Rewrites the nodes of one graph, with casts where the precision changes."""

    def __init__(self, graph: Any, halves: set[int]) -> None:
        self._graph = graph
        self._halves = halves
        self._floats = _float_tensors(graph)
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._outputs = {value.name for value in graph.output}
        self._renamed: dict[str, str] = {}
        """Name of a tensor that a float16 node makes."""
        self._casts: dict[tuple[str, bool], str] = {}

    def convert(self) -> None:
        nodes: list[Any] = []
        for index, node in enumerate(self._graph.node):
            half = index in self._halves
            nodes += self._inputs(node, half)
            nodes.append(node)
            if half:
                nodes += self._results(node)
        used = {name for node in nodes for name in node.input} | self._outputs
        kept = [tensor for tensor in self._weights.values() if tensor.name in used]
        del self._graph.node[:], self._graph.initializer[:]
        self._graph.node.extend(nodes)
        self._graph.initializer.extend(kept)

    def _inputs(self, node: Any, half: bool) -> Iterator[Any]:
        """Give a node its inputs in its own precision; the casts that are new."""
        follow = _FLOAT_INPUTS.get(node.op_type, range(len(node.input)))
        for place, name in enumerate(node.input):
            if name not in self._floats:
                continue
            wanted = half and place in follow
            made_half = name in self._renamed
            if wanted == made_half:
                node.input[place] = self._renamed.get(name, name)
            elif wanted and name in self._weights:
                node.input[place] = self._half_weight(name)
            else:
                key = (name, wanted)
                if key not in self._casts:
                    self._casts[key] = f"{name}_float{16 if wanted else 32}"
                    source = self._renamed.get(name, name)
                    yield _cast(source, self._casts[key], wanted)
                node.input[place] = self._casts[key]

    def _results(self, node: Any) -> Iterator[Any]:
        """Rename what a float16 node makes; casts for those that leave the graph."""
        from onnx import TensorProto

        if node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
        for place, name in enumerate(node.output):
            if name not in self._floats:
                continue
            self._renamed[name] = node.output[place] = f"{name}_half"
            if name in self._outputs:
                yield _cast(self._renamed[name], name, half=False)

    def _half_weight(self, name: str) -> str:
        from onnx import numpy_helper

        half = f"{name}_half"
        if half not in self._weights:
            values = numpy_helper.to_array(self._weights[name]).astype(np.float16)
            self._weights[half] = numpy_helper.from_array(values, half)
        return half


def _cast(source: str, target: str, half: bool) -> Any:
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    return helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=kind)
