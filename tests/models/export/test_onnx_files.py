"""What is in an exported file."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import models.export.tracing
from models.export.onnx_format import FORM, METADATA, check_shapes, write_onnx
from models.export.openvino_format import write_openvino
from models.export.report import ExportError
from models.export.tracing import traceable
from models.package import ModelPackage


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_it_runs_without_our_code_at_any_batch_size(exported: Path, batch: int) -> None:
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    description = json.loads((exported / "model.json").read_text())
    assert [one.name for one in session.get_inputs()] == [description["input"]["name"]]
    assert [one.type for one in session.get_inputs()] == ["tensor(uint8)"]
    names = [output["name"] for output in description["outputs"]]
    height, width = description["input"]["shape"][1:3]
    inputs = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)
    together = session.run(names, {description["input"]["name"]: inputs})
    assert [list(output.shape) for output in together] == [
        [batch, *output["shape"][1:]] for output in description["outputs"]
    ]
    alone = [session.run(names, {"images": inputs[index : index + 1]}) for index in range(batch)]
    for place, output in enumerate(together):
        expected = np.concatenate([one[place] for one in alone])
        np.testing.assert_allclose(output, expected, atol=2e-3)


def test_it_tells_about_the_model_and_not_about_the_machine(exported: Path) -> None:
    graph = onnx.load(exported / "model.onnx")
    metadata = {prop.key: prop.value for prop in graph.metadata_props}
    form = json.loads(metadata[FORM])
    assert (form["precision"], form["batch"], form["postprocessor"]) == ("float32", None, "apart")
    assert form["outputs"] == json.loads((exported / "model.json").read_text())["outputs"]
    told = json.loads(metadata[METADATA])
    whole = json.loads((exported / "model.json").read_text())
    assert told == {key: whole[key] for key in told}
    assert {"classes", "preprocessing", "postprocessing", "threshold", "input"} <= set(told)
    assert {"family", "network", "libraries", "licence", "outputs"} <= set(told)
    root = str(Path(models.export.tracing.__file__).parents[2])
    for file in ("model.onnx", "openvino/model.xml"):
        content = (exported / file).read_bytes()
        for word in (root, "site-packages", 'File "', str(Path.home()) + "/"):
            assert word.encode() not in content
    assert METADATA in (exported / "openvino/model.xml").read_text()


def test_the_same_weights_give_the_same_files(exported: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(exported)
    write_onnx(package, tmp_path / "model.onnx", simplify=True)
    write_openvino(package.card, tmp_path / "model.onnx", tmp_path / "model.xml", "float32")
    for name, file in (
        ("model.onnx", "model.onnx"),
        ("model.xml", "openvino/model.xml"),
        ("model.bin", "openvino/model.bin"),
    ):
        assert (tmp_path / name).read_bytes() == (exported / file).read_bytes()


def test_a_frozen_batch_is_not_shipped(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without our `len` the network freezes its batch size."""
    monkeypatch.setattr(models.export.tracing, "_symbolic_len", builtins.len)
    with pytest.raises(ExportError) as caught:
        write_onnx(ModelPackage.load(exported), tmp_path / "model.onnx")
    assert "You marked batch as dynamic but your code specialized it" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 2}, "batch size is frozen at 2 in 'images'"),
        ({"name": "pictures"}, "has 'pictures' of shape"),
        ({"height": 5}, "'images' of shape ['batch', 5, 96, 3] (uint8) where model.json says"),
        ({"extra": True}, "has 4 inputs and outputs, model.json 3"),
    ],
)
def test_shapes_are_held_against_the_description(
    exported: Path, change: dict[str, Any], words: str
) -> None:
    graph = onnx.load(exported / "model.onnx")
    card = ModelPackage.load(exported).card
    check_shapes(graph, card)
    given = graph.graph.input[0]
    sizes = given.type.tensor_type.shape.dim
    if "batch" in change:
        sizes[0].dim_value = change["batch"]
    if "height" in change:
        sizes[1].dim_value = change["height"]
    if "name" in change:
        given.name = change["name"]
    if "extra" in change:
        graph.graph.output.add().CopyFrom(graph.graph.output[0])
    with pytest.raises(ExportError) as caught:
        check_shapes(graph, card)
    assert words in str(caught.value)


def test_openvino_shapes_are_held_against_the_description(exported: Path, tmp_path: Path) -> None:
    card = ModelPackage.load(exported).card
    graph = onnx.load(exported / "model.onnx")
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(graph, tmp_path / "frozen.onnx")
    with pytest.raises(ExportError, match="of shape"):
        write_openvino(card, tmp_path / "frozen.onnx", tmp_path / "m.xml", "float32")
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def test_tracing_leaves_no_traces() -> None:
    from transformers.models.d_fine import modeling_d_fine

    network = modeling_d_fine.DFineMLP(2, 2, 2, 2)
    name = "TRANSFORMERS_DISABLE_TORCH_CHECK"
    before = os.environ.get(name), "len" in vars(modeling_d_fine)
    with traceable(nn.Sequential(network)):
        assert os.environ[name] == "1"
        length: Any = vars(modeling_d_fine)["len"]
        assert length([1, 2]) == 2
        assert length(torch.zeros(3, 4)) == 3
    assert (os.environ.get(name), "len" in vars(modeling_d_fine)) == before
