"""A package that runs without training: its results depend on the pictures' brightness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import onnx
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.package import ModelCard, ModelPackage, NewArtifact


def bright_graph(batch: int | str = "batch") -> onnx.ModelProto:
    """Outputs of `card`, each the mean brightness times a weight."""
    random = np.random.default_rng(0)
    weights = {
        "axes": np.array([1, 2, 3]),
        "first": random.normal(size=(1, 10, 2)).astype(np.float32),
        "second": random.uniform(size=(1, 10, 4)).astype(np.float32),
        "scale": np.array(1 / 255, np.float32),
        "shape": np.array([-1, 1, 1]),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["bright"]),
        helper.make_node("Reshape", ["bright", "shape"], ["tall"]),
        helper.make_node("Mul", ["tall", "first"], ["logits"]),
        helper.make_node("Mul", ["tall", "second"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, [batch, 64, 96, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 10, 2]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, 10, 4]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def bright_package(card: ModelCard, room: Path, batch: int | None = None) -> ModelPackage:
    """Write ONNX and OpenVINO, for any number of pictures or for `batch` at once."""
    room.mkdir(parents=True)
    onnx.save(bright_graph("batch" if batch is None else batch), room / "model.onnx")
    openvino.save_model(
        openvino.Core().read_model(room / "model.onnx"), room / "model.xml", compress_to_fp16=False
    )
    files = {name: room / name for name in ("model.xml", "model.bin")}
    return ModelPackage.create(
        room / "package",
        card,
        [
            NewArtifact("onnx", {"model.onnx": room / "model.onnx"}, batch=batch),
            NewArtifact("openvino", files, batch=batch),
        ],
    )


@pytest.fixture
def bright_of(card: ModelCard, tmp_path: Path) -> Callable[[int | None], ModelPackage]:
    """Makes the package for a batch size."""
    return lambda batch: bright_package(card, tmp_path / uuid4().hex, batch)


@pytest.fixture
def bright(bright_of: Callable[[int | None], ModelPackage]) -> ModelPackage:
    """The package for any number of pictures."""
    return bright_of(None)
