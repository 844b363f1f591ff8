"""Which layers of an OpenVINO graph compute in 8-bit integers, and which parts there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WEIGHTED = {
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
    "MatMul",
}
_MOVES = {
    *("Broadcast", "Concat", "Gather", "GatherElements", "GatherND", "MaxPool", "Pad", "Reshape"),
    *("Slice", "Split", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze"),
    *("VariadicSplit",),
}
"""Operations that hand values on unchanged."""


@dataclass(frozen=True)
class Layer:
    """A convolution or matrix product."""

    name: str
    kind: str
    """OpenVINO's name of the operation."""
    weighted: bool
    """Whether one of its factors is constant."""
    int8: bool
    """Whether both factors come in 8 bits."""


def layers(graph: Any) -> list[Layer]:
    """List the convolutions and matrix products of an `openvino.Model`, in their order."""
    constant = _constants(graph)
    return [
        Layer(
            name=node.get_friendly_name(),
            kind=node.get_type_name(),
            weighted=_weighted(node, constant),
            int8=all(_eight_bits(node.input_value(port).get_node(), constant) for port in (0, 1)),
        )
        for node in graph.get_ordered_ops()
        if node.get_type_name() in _WEIGHTED
    ]


def float_names(graph: Any, parts: Sequence[str], patterns: Sequence[str]) -> dict[str, str]:
    """Find the nodes that are to stay in float.

    Args:
        graph: not yet quantised.
        parts: `inputs` (what comes before the first layer with weights), `outputs` (what follows
            the last one) or `decoder` (what follows the choice of queries, a TopK).
        patterns: regular expressions of names.

    Returns:
        Why each stays, by name.

    Raises:
        ValueError: a pattern fits no name, or there is no such part.
    """
    ordered = [node for node in graph.get_ordered_ops() if node.get_type_name() != "Constant"]
    names = [node.get_friendly_name() for node in ordered]
    found: dict[str, str] = {}
    for pattern in patterns:
        fits = [name for name in names if re.search(pattern, name)]
        if not fits:
            raise ValueError(f"float_layers: no node of the graph has a name like '{pattern}'")
        found |= dict.fromkeys(fits, f"float_layers={pattern}")
    if "decoder" in parts:
        decoder = _after(ordered, "TopK")
        if not decoder:
            raise ValueError(
                "float_parts=decoder: the network chooses no queries (there is no TopK in its "
                "graph), so it has no decoder; leave it out"
            )
        found |= dict.fromkeys(decoder, "float_parts=decoder")
    if "inputs" in parts:
        found |= dict.fromkeys(_inputs(graph, ordered), "float_parts=inputs")
    if "outputs" in parts:
        found |= dict.fromkeys(_outputs(graph, ordered), "float_parts=outputs")
    return found


def explain(
    found: Sequence[Layer], kept: Mapping[str, str], plain: Sequence[Layer] | None
) -> list[tuple[str, str, str]]:
    """Say for each layer that computes in float why it does.

    Args:
        found: layers of the quantised graph.
        kept: from `float_names`.
        plain: layers of the graph before accuracy control put some back; None without it.

    Returns:
        Name, kind and reason.
    """
    before = {layer.name for layer in plain or () if layer.int8}
    return [
        (layer.name, layer.kind, kept.get(layer.name) or _reason(layer, before))
        for layer in found
        if not layer.int8
    ]


def _reason(layer: Layer, before: set[str]) -> str:
    if layer.name in before:
        return "put back by accuracy control"
    if not layer.weighted:
        return "product of two activations, which NNCF's scheme leaves in float"
    return "NNCF's scheme leaves it in float"


def _constants(graph: Any) -> dict[str, bool]:
    """Say of each node whether its value is known beforehand."""
    found: dict[str, bool] = {}
    for node in graph.get_ordered_ops():
        kind = node.get_type_name()
        sources = [value.get_node().get_friendly_name() for value in node.input_values()]
        known = kind == "Constant" or (bool(sources) and all(found[name] for name in sources))
        found[node.get_friendly_name()] = known
    return found


def _weighted(node: Any, constant: Mapping[str, bool]) -> bool:
    return any(constant[node.input_value(port).get_node().get_friendly_name()] for port in (0, 1))


def _eight_bits(node: Any, constant: Mapping[str, bool]) -> bool:
    kind = node.get_type_name()
    if kind == "FakeQuantize":
        return True
    sources = [value.get_node() for value in node.input_values()]
    if constant[node.get_friendly_name()]:
        # Weights: whole numbers that are scaled, and shifted.
        if kind == "Constant":
            return node.get_element_type().get_type_name() in ("i8", "u8")
        return bool(sources) and _eight_bits(sources[0], constant)
    if kind not in _MOVES:
        return False
    moved = sources if kind == "Concat" else sources[:1]
    return all(_eight_bits(source, constant) for source in moved)


def _after(ordered: Sequence[Any], kind: str) -> list[str]:
    """Names of all that depends on operations of a kind."""
    inside: set[str] = set()
    for node in ordered:
        sources = {value.get_node().get_friendly_name() for value in node.input_values()}
        starts = {v.get_node().get_type_name() for v in node.input_values()} & {kind}
        if starts or sources & inside:
            inside.add(node.get_friendly_name())
    return [name for node in ordered if (name := node.get_friendly_name()) in inside]


def _inputs(graph: Any, ordered: Sequence[Any]) -> list[str]:
    """Names of all that depends on no layer with weights, but on what is put in."""
    constant = _constants(graph)
    inside: list[str] = []
    seen: set[str] = set()
    for node in ordered:
        kind, name = node.get_type_name(), node.get_friendly_name()
        sources = [value.get_node().get_friendly_name() for value in node.input_values()]
        given = [source for source in sources if not constant[source]]
        if kind == "Parameter":
            seen.add(name)
        elif given and kind not in _WEIGHTED and kind != "Result" and seen.issuperset(given):
            seen.add(name)
            inside.append(name)
    return inside


def _outputs(graph: Any, ordered: Sequence[Any]) -> list[str]:
    """Names of all that no layer with weights depends on."""
    constant = _constants(graph)
    feeds: set[str] = set()
    for node in reversed(ordered):
        kind, name = node.get_type_name(), node.get_friendly_name()
        if name in feeds or (kind in _WEIGHTED and _weighted(node, constant)):
            feeds |= {value.get_node().get_friendly_name() for value in node.input_values()}
            feeds.add(name)
    skipped = ("Parameter", "Result")
    return [
        name
        for node in ordered
        if (name := node.get_friendly_name()) not in feeds and node.get_type_name() not in skipped
    ]
