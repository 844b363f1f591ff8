"""The client of a service that reads: texts of different lengths in one answer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.package import (
    Input,
    ModelCard,
    ModelClass,
    ModelPackage,
    NewArtifact,
    Output,
    Preprocessing,
)
from models.serving.client import ModelClient
from tests.models.serving.conftest import Start

TEXTS = {0: "0", 255: "0110"}
"""What the reader sees in a picture all of this grey."""


def log_probs(text: str) -> np.ndarray:
    """Say a text in eight steps, a blank behind each character, each surer than the one before."""
    found = np.full((1, 8, 3), -9.0, np.float32)
    found[:, :, 2] = -0.01
    for place, sign in enumerate(text):
        found[0, 2 * place] = -9.0
        found[0, 2 * place, int(sign)] = -0.1 / (1 + place)
    return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader whose text depends on the brightness."""
    room = tmp_path_factory.mktemp("reader")
    dark, light = map(log_probs, TEXTS.values())
    values = {
        "axes": np.array([1, 2, 3]),
        "scale": np.array(1 / 255, np.float32),
        "shape": np.array([-1, 1, 1]),
        "more": light - dark,
        "dark": dark,
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["bright"]),
        helper.make_node("Reshape", ["bright", "shape"], ["tall"]),
        helper.make_node("Mul", ["tall", "more"], ["added"]),
        helper.make_node("Add", ["added", "dark"], ["log_probs"]),
    ]
    graph = helper.make_graph(
        nodes,
        "reader",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 16, 32, 3])],
        [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["batch", 8, 3])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), room / "model.onnx")
    card = ModelCard(
        family="ocr",
        network={"name": "svtr"},
        classes=(ModelClass(name="0"), ModelClass(name="1")),
        input=Input(shape=("batch", 16, 32, 3)),
        preprocessing=Preprocessing(height=16, width=32, resize_mode="stretch"),
        outputs=(Output(name="log_probs", shape=("batch", 8, 3)),),
        postprocessing={"kind": "ctc", "blank": 2},
    )
    artifact = NewArtifact("onnx", {"model.onnx": room / "model.onnx"})
    return ModelPackage.create(room / "package", card, [artifact]).folder


def test_each_text_has_its_own_characters(start_service: Start, reader: Path) -> None:
    running = start_service(package=reader)
    client = ModelClient(f"{running.url}/v2/models/model_pictures")
    files = [
        cv2.imencode(".png", np.full((16, 32, 3), grey, np.uint8))[1].tobytes()
        for grey in (0, 255, 255, 0)
    ]
    found = client.pictures(files, 0.0)
    assert [one["texts"].tolist() for one in found] == [["0"], ["0110"], ["0110"], ["0"]]
    alone = [client.pictures([file], 0.0)[0] for file in files]
    for one, other in zip(found, alone, strict=True):
        assert one["character_scores"] == pytest.approx(other["character_scores"])
        assert len(one["character_scores"]) == len(one["texts"][0])
        assert (np.diff(one["character_scores"]) > 0).all()
