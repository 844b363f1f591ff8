"""INT8 gives the same on every processor: without VNNI, sums of products may not overflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.deployment.network import open_network
from models.package import ModelCard, ModelPackage, NewArtifact
from models.runtimes import EngineOptions
from models.runtimes.engines import load_engine

WEIGHTS = np.random.default_rng(0).choice([-127, 127, 126], (60, 3, 1, 1), p=[0.2, 0.6, 0.2])
PICTURES = np.random.default_rng(1).integers(200, 256, (2, 64, 96, 3), dtype=np.uint8)


@pytest.fixture
def int8_file(tmp_path: Path) -> Path:
    """A convolution of one pixel whose products are as large as int8 allows."""
    constants = {
        "part": np.array(1 / 255, np.float32),
        "scale": np.array(1 / 127, np.float32),
        "zero": np.array(0, np.int8),
        "weights": WEIGHTS.astype(np.int8),
        "axes": np.array([2, 3]),
        "sizes": np.array([20, 40]),
        "logits_shape": np.array([-1, 10, 2]),
        "boxes_shape": np.array([-1, 10, 4]),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "part"], ["bright"]),
        helper.make_node("Transpose", ["bright"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["planes", "scale", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "scale", "zero"], ["pixels"]),
        helper.make_node("DequantizeLinear", ["weights", "scale", "zero"], ["kernel"]),
        helper.make_node("Conv", ["pixels", "kernel"], ["sums"]),
        helper.make_node("QuantizeLinear", ["sums", "wide", "zero"], ["sums8"]),
        helper.make_node("DequantizeLinear", ["sums8", "wide", "zero"], ["back"]),
        helper.make_node("ReduceMean", ["back", "axes"], ["mean"], keepdims=0),
        helper.make_node("Split", ["mean", "sizes"], ["few", "many"], axis=1),
        helper.make_node("Reshape", ["few", "logits_shape"], ["logits"]),
        helper.make_node("Reshape", ["many", "boxes_shape"], ["boxes"]),
    ]
    constants["wide"] = np.array(3 / 127, np.float32)
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 64, 96, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10, 2]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["batch", 10, 4]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    file = tmp_path / "model-int8.onnx"
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), file)
    return file


@pytest.fixture
def expected() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the graph says, in float."""
    pixels = np.round(PICTURES / 255 * 127) / 127
    sums = pixels @ (WEIGHTS[:, :, 0, 0] / 127).T
    mean = (np.round(sums / 3 * 127) * 3 / 127).mean((1, 2))
    return mean[:, :20].reshape(-1, 10, 2), mean[:, 20:].reshape(-1, 10, 4)


def test_onnxruntime_sums_int8_products_exactly(
    card: ModelCard, tmp_path: Path, int8_file: Path, expected: tuple[NDArray[np.float64], ...]
) -> None:
    artifact = NewArtifact("onnx", {int8_file.name: int8_file}, precision="int8")
    package = ModelPackage.create(tmp_path / "package", card, [artifact])
    engine = load_engine(package, "onnxruntime", EngineOptions("cpu", 1, precision="int8"))
    for found, wanted in zip(engine(PICTURES), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=3e-3)


def test_what_is_shipped_does_too(
    int8_file: Path, expected: tuple[NDArray[np.float64], ...]
) -> None:
    network = open_network(int8_file, "onnxruntime", ["logits", "boxes"], [64, 96, 3], 1)
    for found, wanted in zip(network(PICTURES), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=3e-3)
