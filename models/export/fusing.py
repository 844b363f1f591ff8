"""A network's ONNX graph with the family's postprocessor behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.families import Fused
from models.package import ModelCard


def fuse(graph: Any, card: ModelCard, fused: Fused) -> Any:
    """Append the postprocessor to a graph.

    Args:
        graph: ONNX, as `onnx.ModelProto`, with the outputs of `card`; left as it is.
        card: of the model.
        fused: the family's, for this card.

    Returns:
        A graph with the outputs of `fused`.
    """
    from onnx import TensorProto, helper

    whole = type(graph)()
    whole.CopyFrom(graph)
    inner = whole.graph
    old = {output.name: f"network.{output.name}" for output in card.outputs}
    for node in inner.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = old.get(name, name)
    first = inner.output[0].type.tensor_type.shape.dim[0]
    batch = first.dim_param or first.dim_value
    nodes = Nodes()
    found = fused.write([old[output.name] for output in card.outputs], nodes)
    for name, output in zip(found, fused.outputs, strict=True):
        nodes.nodes.append(
            helper.make_node("Identity", [name], [output.name], f"out_{output.name}")
        )
    inner.node.extend(nodes.nodes)
    inner.initializer.extend(nodes.constants)
    del inner.output[:], inner.value_info[:]
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    for output in fused.outputs:
        shape = [batch, *output.shape[1:]]
        inner.output.append(helper.make_tensor_value_info(output.name, kinds[output.dtype], shape))
    return whole


class Nodes:
    """Collects ONNX nodes and constants; `models.families.NodeList` says what it is for."""

    FLOAT = 1
    BOOL = 9

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: Any, outputs: int, **attributes: Any) -> list[str]:
        """Add a node; returns the names of its outputs."""
        from onnx import helper

        name = f"post_{len(self.nodes)}_{kind.lower()}"
        names = [f"{name}.{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name, **attributes))
        return names

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        name = f"post_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name
