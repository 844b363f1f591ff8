"""OpenVINO's own format, made from the ONNX file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Literal

from models.export.onnx_format import FORM
from models.export.report import ExportError
from models.package import ModelCard
from models.runtimes.engines import library


def write_openvino(
    card: ModelCard,
    onnx: Path,
    file: Path,
    precision: Literal["float32", "float16"],
    batch: int | None = None,
) -> str:
    """Write `file` (.xml) and its .bin; what the ONNX file says about itself goes along.

    Args:
        card: says what the shapes must be.
        onnx: the ONNX file, from `write_onnx`.
        file: to write.
        precision: of the weights in the file.
        batch: pictures that the ONNX file takes at once; None for any number.

    Returns:
        The tool and its version.

    Raises:
        ValueError: OpenVINO is missing.
        ExportError: the graph isn't what `model.json` says.
    """
    openvino = library("openvino", "export", "export to OpenVINO")
    graph = openvino.Core().read_model(os.fspath(onnx))
    _tell(graph, precision)
    _check(graph, card, batch)
    _name(graph)
    file.parent.mkdir(parents=True, exist_ok=True)
    # By default the weights would be rounded to float16.
    openvino.save_model(graph, os.fspath(file), compress_to_fp16=precision == "float16")
    return f"openvino {openvino.__version__}"


def _tell(graph: Any, precision: str) -> None:
    """Correct what the ONNX file says of its own precision."""
    place = ["framework", FORM]
    if graph.has_rt_info(place):
        form = json.loads(graph.get_rt_info(place).astype(str))
        text = json.dumps({**form, "precision": precision}, separators=(",", ":"))
        graph.set_rt_info(text, place)


def _name(graph: Any) -> None:
    """Name nodes by their place: OpenVINO counts them through the life of the process."""
    for index, node in enumerate(graph.get_ordered_ops()):
        kind = node.get_type_name()
        if re.fullmatch(rf"{kind}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{kind}.{index}")


def _check(graph: Any, card: ModelCard, batch: int | None) -> None:
    tensors: list[tuple[str, tuple[str | int, ...], Any]]
    tensors = [(card.input.name, card.input.shape, graph.inputs)]
    tensors += [(output.name, output.shape, graph.outputs) for output in card.outputs]
    for name, shape, ports in tensors:
        port = next((port for port in ports if name in port.get_names()), None)
        if port is None:
            raise ExportError(f"the OpenVINO graph has no '{name}'")
        found = [size.get_length() if size.is_static else "batch" for size in port.partial_shape]
        wanted = ["batch" if batch is None else batch, *shape[1:]]
        if found != wanted:
            raise ExportError(
                f"the OpenVINO graph has '{name}' of shape {found}, model.json says {wanted}"
            )
