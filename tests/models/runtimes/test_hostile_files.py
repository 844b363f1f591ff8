"""Files made to do harm: refused with one line, and nothing of theirs is run or read."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from models.detection.networks.starting import _plain_tensors
from models.families import family
from models.package import ModelCard, ModelPackage, NewArtifact
from models.package.onnx_data import external_files
from models.runtimes import EngineOptions, load_predictor
from models.runtimes.engines import load_engine
from models.training.loop import _check

ANY: Any = None
PICTURES = np.full((2, 64, 96, 3), 9, np.uint8)


def outside(tensor: Any, location: str) -> None:
    """Move a tensor's values into another file, in name."""
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)


def repacked(package: ModelPackage, graph: Any, room: Path, **more: Path) -> Path:
    """The package with another ONNX file, and with further files of it."""
    room.mkdir(exist_ok=True)
    file = room / "changed.onnx"
    file.write_bytes(graph if isinstance(graph, bytes) else graph.SerializeToString())
    new = NewArtifact("onnx", {"model.onnx": file, **more})
    return package.with_artifacts([new]).save(room / "package").folder


def refused(folder: Path, runtime: str = "onnxruntime") -> str:
    with pytest.raises(ValueError) as caught:
        load_engine(ModelPackage.load(folder), runtime, EngineOptions("cpu", 1))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def in_weights(graph: Any, location: str) -> None:
    outside(next(t for t in graph.graph.initializer if t.name == "first"), location)


def in_a_constant(graph: Any, location: str) -> None:
    tensor = next(t for t in graph.graph.initializer if t.name == "first")
    moved = onnx.TensorProto.FromString(tensor.SerializeToString())
    graph.graph.initializer.remove(tensor)
    outside(moved, location)
    node = helper.make_node("Constant", [], ["first"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(moved)
    graph.graph.node.insert(0, node)


def in_a_branch(graph: Any, location: str) -> None:
    tensor = numpy_helper.from_array(np.zeros((1, 10, 2), np.float32), "inner")
    outside(tensor, location)
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1, 10, 2])
    branch = helper.make_graph([], "branch", [], [value], [tensor])
    node = helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch)
    graph.graph.node.append(node)
    graph.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))


@pytest.mark.parametrize("hide", [in_weights, in_a_constant, in_a_branch])
@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "beside", "sub/../../secret", ""])
def test_weights_outside_the_package_are_not_read(
    bright: ModelPackage, tmp_path: Path, hide: Callable[[Any, str], None], location: str
) -> None:
    graph = onnx.load(bright.sources["model.onnx"])
    hide(graph, location)
    folder = repacked(bright, graph, tmp_path / "evil")
    (folder.parent / "secret").write_bytes(b"s" * 4096)
    (folder / "beside").symlink_to("/etc/passwd")
    words = refused(folder)
    assert f"wants weights from '{location}', which is no file of the model package" in words


def test_weights_in_a_file_of_the_package_are_read(bright: ModelPackage, tmp_path: Path) -> None:
    graph = onnx.load(bright.sources["model.onnx"])
    tensor = next(t for t in graph.graph.initializer if t.name == "first")
    (tmp_path / "data").write_bytes(tensor.raw_data)
    outside(tensor, "weights/data")
    more = {"weights/data": tmp_path / "data"}
    folder = repacked(bright, graph, tmp_path / "fair", **more)
    assert external_files(folder / "model.onnx") == ["weights/data"]
    run = load_engine(ModelPackage.load(folder), "onnxruntime", EngineOptions("cpu", 1))
    known = load_engine(bright, "onnxruntime", EngineOptions("cpu", 1))
    assert (run(PICTURES)[0] == known(PICTURES)[0]).all()
    # The very same name as a link that leads out.
    (folder / "weights/data").unlink()
    (folder / "weights/data").symlink_to(tmp_path / "data")
    with pytest.raises(ValueError, match="is a link that leads out of the package"):
        ModelPackage.load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk" * 99,
        b"\xff" * 99,
        b"\x3a\xff\xff\xff\xff\x0f",  # a graph of 4 GB
        b"\x3a\x7f",
        b"\x80" * 20,
    ],
)
def test_what_is_no_onnx_file_is_said(bright: ModelPackage, tmp_path: Path, content: bytes) -> None:
    words = refused(repacked(bright, content, tmp_path / "evil"))
    assert "is no ONNX file" in words or "is no model that ONNX Runtime loads" in words


def test_endless_graphs_in_graphs_are_refused(bright: ModelPackage, tmp_path: Path) -> None:
    def field(number: int, content: bytes) -> bytes:
        size, head = len(content), bytearray([number << 3 | 2])
        while size > 127:
            head.append(size & 127 | 128)
            size >>= 7
        return bytes(head) + bytes([size]) + content

    graph = b""
    for _ in range(500):  # graph > node > attribute > graph
        graph = field(1, field(5, field(6, graph)))
    words = refused(repacked(bright, field(7, graph), tmp_path / "evil"))
    assert "is no ONNX file" in words


def test_a_graph_that_wants_terabytes_is_refused(bright: ModelPackage, tmp_path: Path) -> None:
    graph = onnx.load(bright.sources["model.onnx"])
    graph.graph.initializer.append(numpy_helper.from_array(np.array([1 << 20] * 2), "huge"))
    graph.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["wide"]))
    graph.graph.node.append(helper.make_node("ReduceSum", ["wide"], ["sum"], keepdims=0))
    graph.graph.node.append(helper.make_node("Add", ["out.logits", "sum"], ["logits"]))
    for node in graph.graph.node[:-1]:
        node.output[:] = ["out.logits" if name == "logits" else name for name in node.output]
    folder = repacked(bright, graph, tmp_path / "evil")
    try:
        engine = load_engine(ModelPackage.load(folder), "onnxruntime", EngineOptions("cpu", 1))
    except ValueError as error:
        assert "\n" not in str(error)
        return
    with pytest.raises(Exception, match=r"(?i)alloc|memory"):
        engine(PICTURES)


def test_openvino_weights_that_the_package_does_not_name_are_not_read(
    bright: ModelPackage, tmp_path: Path
) -> None:
    alone = NewArtifact("openvino", {"model.xml": bright.sources["model.xml"]})
    folder = bright.with_artifacts([alone]).save(tmp_path / "p").folder
    (folder / "model.bin").symlink_to("/etc/passwd")
    assert "model.json names no model.bin beside model.xml" in refused(folder, "openvino")


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.write_text, (self.target, "run")


@pytest.fixture
def pickled(tmp_path: Path) -> dict[str, Path]:
    """Files of a payload, which writes `ran`, as several programs would store it."""
    payload = {"state_dict": {}, "callbacks": Payload(tmp_path / "ran")}
    files = {name: tmp_path / f"{name}.pth" for name in ("torch", "bare", "old")}
    torch.save(payload, files["torch"])
    files["bare"].write_bytes(pickle.dumps(payload))
    torch.save(payload, files["old"], _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(files["torch"]) as archive:  # it does hold the payload
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        assert b"write_text" in archive.read(name)
    return files


@pytest.mark.parametrize("kind", ["torch", "bare", "old"])
def test_a_pickle_in_a_checkpoint_is_not_run(
    pickled: dict[str, Path], tmp_path: Path, card: ModelCard, kind: str
) -> None:
    file = pickled[kind]
    with pytest.raises(ValueError, match="is no checkpoint of a training here"):
        _check(file, ANY)
    with pytest.raises(ValueError, match="is no file of plain tensors"):
        _plain_tensors(file)
    files = {"weights.safetensors": file}
    package = ModelPackage.create(tmp_path / "p", card, [NewArtifact("safetensors", files)])
    with pytest.raises(ValueError, match="holds no safetensors") as caught:
        load_predictor(package, "torch", "cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 1 << 62]}},
        {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 1 << 40]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
    ],
)
def test_weights_of_absurd_shapes_are_refused(
    card: ModelCard, tmp_path: Path, header: dict[str, Any]
) -> None:
    text = json.dumps(header).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 8)
    package = ModelPackage.create(
        tmp_path / "p", card, [NewArtifact("safetensors", {"w.safetensors": tmp_path / "w"})]
    )
    assert "holds no safetensors" in refused(package.folder, "torch")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queries": 10**9}, "model.json: network.queries"),
        ({"hidden_width": 1 << 30}, "model.json: network.hidden_width"),
        ({"image_size": 1 << 20}, "model.json: network.image_size"),
        ({"name": "worm"}, "model.json: network"),
        ({"levels": "three"}, "model.json: network.levels"),
    ],
)
def test_an_absurd_network_is_not_built(
    card: ModelCard, change: dict[str, Any], words: str
) -> None:
    evil = card.model_copy(update={"network": {"name": "dfine", **change}})
    with pytest.raises(ValueError) as caught:
        family("detection").network(evil, {})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def narrower(graph: Any) -> None:
    graph.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 48


def renamed(graph: Any) -> None:
    graph.graph.input[0].name = graph.graph.node[0].input[0] = "pictures"


def without_boxes(graph: Any) -> None:
    del graph.graph.output[1], graph.graph.node[-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (narrower, "it takes images ['batch', 64, 48, 3], not images ['batch', 64, 96, 3]"),
        (renamed, "it takes pictures"),
        (without_boxes, "it gives logits, and no boxes"),
    ],
)
def test_an_onnx_file_of_another_model_is_told_when_it_is_opened(
    bright: ModelPackage, tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    graph = onnx.load(bright.sources["model.onnx"])
    change(graph)
    said = refused(repacked(bright, graph, tmp_path / "other"))
    assert "another model than model.json says" in said and words in said
