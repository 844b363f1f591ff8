"""ONNX, written by PyTorch's `torch.export`-based exporter.

The older, tracing exporter writes a wrong D-FINE without a word.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.export.report import ExportError
from models.package import ModelCard, ModelPackage
from models.runtimes.engines import library

OPSET = 20
METADATA = "sightline"
"""Key of the metadata in the file: `model.json` without figures, files and lineage."""


def write_onnx(package: ModelPackage, file: Path) -> str:
    """Write the package's network as ONNX, for batches of any size.

    Args:
        package: with safetensors.
        file: to write.

    Returns:
        The tool and its version.

    Raises:
        ValueError: a library is missing.
        ExportError: the graph isn't what `model.json` says.
    """
    onnx = library("onnx", "export", "export to ONNX")
    library("onnxscript", "export", "export to ONNX")
    library("torch", "train", "export to ONNX")
    import torch

    graph = _graph(package)
    _strip(graph)
    check_shapes(graph, package.card)
    for key, value in _metadata(package.card).items():
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph, full_check=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(graph.SerializeToString(deterministic=True))
    return f"torch {torch.__version__}"


def _graph(package: ModelPackage) -> Any:
    import torch

    from models.export.tracing import traceable
    from models.runtimes.shipped import shipped_network

    card = package.card
    # A network of its own: `transformers` caches tensors in it that tracing makes unusable.
    network = shipped_network(package)
    # Of two pictures: a size of 1 is special to torch.export.
    example = torch.zeros((2, *card.input.shape[1:]), dtype=torch.uint8)
    name = card.network.get("name")
    with traceable(network), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # By ourselves: left to itself the exporter goes on to try three other ways to trace.
            traced = torch.export.export(
                network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},), strict=False
            )
        except Exception as error:  # tracing runs the network's own code
            raise ExportError(f"PyTorch can't trace '{name}': {_reason(error)}") from error
        try:
            program = torch.onnx.export(
                traced,
                (),
                dynamic_shapes=({0: "batch"},),  # the name again, which it would forget
                input_names=[card.input.name],
                output_names=[output.name for output in card.outputs],
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = _reason(error.__cause__ or error)
            raise ExportError(f"PyTorch can't write '{name}' as ONNX: {reason}") from error
    assert program is not None
    return program.model_proto


def _reason(error: BaseException) -> str:
    """The lines of an error that say what is wrong, as one."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:400] or type(error).__name__


def _strip(graph: Any) -> None:
    """Take out what tells about the machine that wrote it: stack traces with paths."""
    graph.doc_string = ""
    graph.producer_name, graph.producer_version = "sightline", ""
    del graph.metadata_props[:]
    _strip_graph(graph.graph)
    for function in graph.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        _strip_nodes(function.node)


def _strip_graph(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            value.doc_string = ""
            del value.metadata_props[:]
    _strip_nodes(graph.node)


def _strip_nodes(nodes: Iterable[Any]) -> None:
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _strip_graph(inner)


def check_shapes(graph: Any, card: ModelCard) -> None:
    """Hold the graph's inputs and outputs against `model.json`, the free batch size above all.

    Raises:
        ExportError: they differ.
    """
    wanted = [(card.input.name, tuple(card.input.shape))]
    wanted += [(output.name, tuple(output.shape)) for output in card.outputs]
    found = [
        (
            value.name,
            tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim),
        )
        for value in (*graph.graph.input, *graph.graph.output)
    ]
    for (name, shape), (have_name, have) in zip(wanted, found, strict=False):
        if (name, shape) == (have_name, have):
            continue
        if name == have_name and shape[1:] == have[1:] and isinstance(have[0], int):
            raise ExportError(
                f"the ONNX graph's batch size is frozen at {have[0]} in '{name}': the network "
                f"turns its batch size into a plain number somewhere"
            )
        raise ExportError(
            f"the ONNX graph has '{have_name}' of shape {list(have)} where model.json says "
            f"'{name}' of shape {list(shape)}"
        )
    if len(wanted) != len(found):
        raise ExportError(
            f"the ONNX graph has {len(found)} inputs and outputs, model.json {len(wanted)}"
        )


def _metadata(card: ModelCard) -> dict[str, str]:
    kept = card.model_dump(mode="json", by_alias=True, exclude={"artifacts", "metrics", "lineage"})
    return {METADATA: json.dumps(kept, ensure_ascii=False, separators=(",", ":"))}
