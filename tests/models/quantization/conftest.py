"""One quantisation of a small trained detector, for all tests that look at what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.quantization import QuantizeOptions, QuantizeReport, quantize
from models.reporting import Silence


class Listener(Silence):
    """Keeps log lines and tables."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {}

    def log(self, message: str) -> None:
        self.lines.append(message)

    def table(
        self,
        title: str,
        series: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int = 0,
    ) -> None:
        self.tables[series] = columns, rows


@pytest.fixture
def listener() -> Listener:
    """A reporter that keeps what it is told."""
    return Listener()


@pytest.fixture(scope="session")
def quantized(
    trained: Path, squares: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[QuantizeReport, Listener]:
    """What quantising `trained` found out, and what it said."""
    heard = Listener()
    options = QuantizeOptions(
        calibration_pictures=16, budget=0.2, resamples=200, threads=1, latency_calls=1
    )
    target = tmp_path_factory.mktemp("quantized") / "package"
    return quantize(trained, target, squares, options, heard), heard


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small convolutional graph with the tensors of a detector; see `write_toy`."""
    return lambda outlier=1.0: write_toy(tmp_path / "toy.onnx", outlier)


def write_toy(file: Path, outlier: float = 1.0) -> Path:
    """Write it as ONNX, for the card of `tests/models/conftest.py`.

    Args:
        file: to write.
        outlier: how much larger one channel is than the others where `fragile` reads it; the
            layer after it makes up for that, so rounding to 8 bits loses the other channels.
    """
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        values = random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        return numpy_helper.from_array(values.astype(np.float32), name)

    gains = np.ones((1, 8, 1, 1), np.float32)
    gains[0, 0] = outlier
    held = [
        numpy_helper.from_array(np.float32(1 / 255), "scale"),
        weights("w_first", 8, 3, 8, 8),
        weights("w_steady", 8, 8, 1, 1),
        numpy_helper.from_array(gains, "gains"),
        numpy_helper.from_array(1 / gains, "losses"),
        weights("w_last", 16, 8, 3, 3),
        weights("w_dense", 16, 60),
        numpy_helper.from_array(np.array([20, 40]), "parts"),
        numpy_helper.from_array(np.array([-1, 10, 2]), "as_logits"),
        numpy_helper.from_array(np.array([-1, 10, 4]), "as_boxes"),
        numpy_helper.from_array(np.float32(0.9), "shrink"),
        *(weights(f"b_{name}", size) for name, size in (("first", 8), ("steady", 8))),
        *(weights(f"b_{name}", size) for name, size in (("fragile", 8), ("last", 16))),
    ]
    # The losses go into the weights, as where a batch norm was folded.
    fragile = random.normal(0, 0.35, (8, 8, 1, 1)) / gains
    held.append(numpy_helper.from_array(fragile.astype(np.float32), "w_fragile"))

    def node(kind: str, inputs: list[str], output: str, **settings: object) -> onnx.NodeProto:
        outputs = output.split()
        return helper.make_node(kind, inputs, outputs, name=outputs[0], **settings)

    nodes = [
        node("Cast", ["images"], "pixels", to=TensorProto.FLOAT),
        node("Transpose", ["pixels"], "planes", perm=[0, 3, 1, 2]),
        node("Mul", ["planes", "scale"], "scaled"),
        node(
            "Conv", ["scaled", "w_first", "b_first"], "first", strides=[8, 8], kernel_shape=[8, 8]
        ),
        node("Relu", ["first"], "first_relu"),
        node("Conv", ["first_relu", "w_steady", "b_steady"], "steady", kernel_shape=[1, 1]),
        node("Add", ["steady", "first_relu"], "joined"),
        node("Mul", ["joined", "gains"], "amplified"),
        node("Conv", ["amplified", "w_fragile", "b_fragile"], "fragile", kernel_shape=[1, 1]),
        node("Conv", ["fragile", "w_last", "b_last"], "last", strides=[2, 2], kernel_shape=[3, 3]),
        node("Relu", ["last"], "last_relu"),
        node("GlobalAveragePool", ["last_relu"], "pooled"),
        node("Flatten", ["pooled"], "flat"),
        node("MatMul", ["flat", "w_dense"], "dense"),
        node("Split", ["dense", "parts"], "said placed", axis=1),
        node("Reshape", ["said", "as_logits"], "logits"),
        node("Mul", ["placed", "shrink"], "shrunk"),
        node("Mul", ["shrunk", "placed"], "moved"),
        node("Sigmoid", ["moved"], "shares"),
        node("Reshape", ["shares", "as_boxes"], "boxes"),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 64, 96, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10, 2]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["batch", 10, 4]),
        ],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)
    return file
