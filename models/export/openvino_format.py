"""OpenVINO's own format, made from the ONNX file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

from models.export.report import ExportError
from models.package import ModelCard
from models.runtimes.engines import library


def write_openvino(
    card: ModelCard, onnx: Path, file: Path, precision: Literal["float32", "float16"]
) -> str:
    """Write `file` (.xml) and its .bin; what the ONNX file says about itself goes along.

    Args:
        card: says what the shapes must be.
        onnx: the ONNX file, from `write_onnx`.
        file: to write.
        precision: of the weights in the file.

    Returns:
        The tool and its version.

    Raises:
        ValueError: OpenVINO is missing.
        ExportError: the graph isn't what `model.json` says.
    """
    openvino = library("openvino", "export", "export to OpenVINO")
    graph = openvino.Core().read_model(os.fspath(onnx))
    _check(graph, card)
    _name(graph)
    file.parent.mkdir(parents=True, exist_ok=True)
    # By default the weights would be rounded to float16.
    openvino.save_model(graph, os.fspath(file), compress_to_fp16=precision == "float16")
    return f"openvino {openvino.__version__}"


def _name(graph: Any) -> None:
    """Name nodes by their place: OpenVINO counts them through the life of the process."""
    for index, node in enumerate(graph.get_ordered_ops()):
        kind = node.get_type_name()
        if re.fullmatch(rf"{kind}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{kind}.{index}")


def _check(graph: Any, card: ModelCard) -> None:
    tensors: list[tuple[str, tuple[str | int, ...], Any]]
    tensors = [(card.input.name, card.input.shape, graph.inputs)]
    tensors += [(output.name, output.shape, graph.outputs) for output in card.outputs]
    for name, shape, ports in tensors:
        port = next((port for port in ports if name in port.get_names()), None)
        if port is None:
            raise ExportError(f"the OpenVINO graph has no '{name}'")
        found = [size.get_length() if size.is_static else "batch" for size in port.partial_shape]
        if found != list(shape):
            raise ExportError(
                f"the OpenVINO graph has '{name}' of shape {found}, model.json says {list(shape)}"
            )
