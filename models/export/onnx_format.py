"""ONNX, written by PyTorch's `torch.export`-based exporter.

The older, tracing exporter writes a wrong D-FINE without a word.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from models.export.report import ExportError
from models.package import ModelCard, ModelPackage, Output
from models.package.card import Precision
from models.runtimes.engines import library

OPSET = 20
METADATA = "sightline"
"""Key of the metadata in the file: `model.json` without figures, files and lineage."""
FORM = "sightline.form"
"""Key of what this file is among the model's forms."""


def write_onnx(
    package: ModelPackage, file: Path, batch: int | None = None, simplify: bool = False
) -> str:
    """Write the package's network as ONNX, in float32 and with the postprocessor apart.

    Args:
        package: with safetensors.
        file: to write.
        batch: pictures that it takes at once; None for any number.
        simplify: fold constants and merge nodes.

    Returns:
        The tools and their versions.

    Raises:
        ValueError: a library is missing.
        ExportError: the graph isn't what `model.json` says, or simplifying changed its results.
    """
    library("onnx", "export", "export to ONNX")
    library("onnxscript", "export", "export to ONNX")
    library("torch", "train", "export to ONNX")
    import torch

    graph = _graph(package)
    _strip(graph)
    check_shapes(graph, package.card)
    if batch is not None:
        fix_batch(graph, batch)
    tool = f"torch {torch.__version__}"
    if simplify:
        from models.export.simplifying import simplified

        graph, slimmer = simplified(graph, package.card)
        tool += f", {slimmer}"
    check_shapes(graph, package.card, batch)
    describe(graph, package.card, "float32", batch)
    save_onnx(graph, file)
    return tool


def save_onnx(graph: Any, file: Path) -> None:
    """Check a graph and write it; the same graph gives the same bytes."""
    import onnx

    onnx.checker.check_model(graph, full_check=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(graph.SerializeToString(deterministic=True))


def fix_batch(graph: Any, batch: int) -> None:
    """Freeze the graph's free batch size, on purpose."""
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    # They speak of the free size; whoever needs them infers them anew.
    del graph.graph.value_info[:]


def describe(
    graph: Any,
    card: ModelCard,
    precision: Precision,
    batch: int | None,
    fused: Sequence[Output] | None = None,
) -> None:
    """Write into the file what it is: two entries of `metadata_props`, both JSON.

    `sightline` is `model.json` without figures, files and lineage: classes, preprocessing,
    threshold, family, network, library versions, licence. `sightline.form` is this form of it:
    precision, batch (null for any), whether the postprocessor is inside, the outputs.
    """
    kept = card.model_dump(mode="json", by_alias=True, exclude={"artifacts", "metrics", "lineage"})
    outputs = card.outputs if fused is None else fused
    form = {
        "precision": precision,
        "batch": batch,
        "postprocessor": "apart" if fused is None else "fused",
        "outputs": [output.model_dump(mode="json") for output in outputs],
    }
    del graph.metadata_props[:]
    for key, content in ((METADATA, kept), (FORM, form)):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        graph.metadata_props.add(key=key, value=text)


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


def check_shapes(
    graph: Any, card: ModelCard, batch: int | None = None, fused: Sequence[Output] | None = None
) -> None:
    """Hold the graph's inputs and outputs against `model.json`, the batch size above all.

    Args:
        graph: ONNX.
        card: says what must be.
        batch: the fixed batch size; None asks for a free one.
        fused: outputs of a graph with the postprocessor inside.

    Raises:
        ExportError: they differ.
    """
    first: str | int = "batch" if batch is None else batch
    outputs = card.outputs if fused is None else fused
    wanted: list[tuple[str, tuple[str | int, ...], str]]
    wanted = [(card.input.name, (first, *card.input.shape[1:]), card.input.dtype)]
    wanted += [(output.name, (first, *output.shape[1:]), output.dtype) for output in outputs]
    found = [_signature(value) for value in (*graph.graph.input, *graph.graph.output)]
    for (name, shape, kind), (have_name, have, have_kind) in zip(wanted, found, strict=False):
        if (name, shape, kind) == (have_name, have, have_kind):
            continue
        if name == have_name and shape[1:] == have[1:] and shape[0] != have[0]:
            raise ExportError(
                f"the ONNX graph's batch size is frozen at {have[0]} in '{name}': the network "
                f"turns its batch size into a plain number somewhere"
            )
        raise ExportError(
            f"the ONNX graph has '{have_name}' of shape {list(have)} ({have_kind}) where "
            f"model.json says '{name}' of shape {list(shape)} ({kind})"
        )
    if len(wanted) != len(found):
        raise ExportError(
            f"the ONNX graph has {len(found)} inputs and outputs, model.json {len(wanted)}"
        )


def _signature(value: Any) -> tuple[str, tuple[str | int, ...], str]:
    """Name, shape and dtype of an input or output of a graph."""
    from onnx import helper

    tensor = value.type.tensor_type
    shape = tuple(size.dim_param or size.dim_value for size in tensor.shape.dim)
    return value.name, shape, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
