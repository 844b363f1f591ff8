"""Fewer nodes, the same results: constants folded and nodes merged by onnxslim."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.export.report import ExportError
from models.package import ModelCard
from models.runtimes.engines import library

TOLERANCE = 1e-4
"""Largest difference of an output, logit or share of the input's size. Merging may round a
product's last bit otherwise; onnxslim 0.1.98 changed nothing at all in our networks."""


def simplified(graph: Any, card: ModelCard) -> tuple[Any, str]:
    """Simplify an ONNX graph and hold its outputs against those of the graph that was given.

    Args:
        graph: ONNX, as `onnx.ModelProto`; left as it is.
        card: says what goes in.

    Returns:
        The simpler graph, and the tool with its version.

    Raises:
        ValueError: onnxslim or ONNX Runtime is missing.
        ExportError: the outputs differ.
    """
    onnxslim = library("onnxslim", "export", "simplifying the ONNX graph")
    runtime = library("onnxruntime", "export", "checking the simplified ONNX graph")
    copy = type(graph)()
    copy.CopyFrom(graph)
    simple = onnxslim.slim(copy)
    before, after = _Noise(runtime, graph, card), _Noise(runtime, simple, card)
    fixed = graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    for batch in (fixed,) if fixed else (1, 3):
        for output, one, other in zip(card.outputs, before(batch), after(batch), strict=True):
            # Near ties between queries may fall either way with the last bit: no order.
            off = float(np.abs(np.sort(one, axis=1) - np.sort(other, axis=1)).max(initial=0.0))
            if not off <= TOLERANCE:
                raise ExportError(
                    f"simplifying the ONNX graph changed '{output.name}' by {off:.2g} (tolerance "
                    f"{TOLERANCE:g}); export with simplify=false"
                )
    return simple, f"onnxslim {version('onnxslim')}"


class _Noise:
    """What a graph makes of noise."""

    def __init__(self, runtime: Any, graph: Any, card: ModelCard) -> None:
        settings = runtime.SessionOptions()
        settings.log_severity_level = 3
        self._session = runtime.InferenceSession(
            graph.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        self._card = card

    def __call__(self, batch: int) -> list[NDArray[np.float32]]:
        shape = (batch, *self._card.input.shape[1:])
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        names = [output.name for output in self._card.outputs]
        found: list[NDArray[np.float32]] = self._session.run(names, {self._card.input.name: noise})
        return found
