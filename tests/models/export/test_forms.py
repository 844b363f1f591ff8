"""Forms beside float32 ONNX and OpenVINO: each checked, none in another's way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxslim
import pytest

from models.detection.dataset import read_labels, read_picture
from models.export import ExportError, ExportOptions, export
from models.export.onnx_format import FORM, write_onnx
from models.export.options import Form, FormName
from models.families import family
from models.package import ModelPackage
from models.reporting import Image, Silence
from models.runtimes import load_predictor

FEW = {"threads": 1, "latency_calls": 0, "metric_pictures": 6, "parity_pictures": 6}
HALVES = ("onnx-float16", "onnx-fused", "onnx-fused-float16", "openvino-float16")


class Listener(Silence):
    """Keeps log lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def images(squares: Path) -> list[Image]:
    labels = read_labels(squares, "val")
    return [read_picture(labels.folder / name) for name in labels.files[:5]]


@pytest.fixture(scope="module")
def forms(exported: Path, squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All forms that need no GPU, the float32 ones from an export before."""
    target = tmp_path_factory.mktemp("forms") / "package"
    # All of val: on six pictures the rounding of one box weighs more than any budget. On all of
    # them it still weighs 0.002, and which way it goes depends on the processor.
    few = {**FEW, "metric_pictures": 21, "budget": 0.01}
    options = ExportOptions(formats=HALVES, **few)
    return export(exported, target, squares, options, Silence()).package


@pytest.fixture(scope="module")
def pairs(trained: Path, squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forms that take two pictures at once."""
    target = tmp_path_factory.mktemp("pairs") / "package"
    options = ExportOptions(formats=("onnx", "onnx-fused", "openvino"), batch=2, **FEW)
    return export(trained, target, squares, options, Silence()).package


def same(package: Path, runtime: str, precision: Any, images: list[Image]) -> dict[str, Any]:
    with load_predictor(package, "torch", "cpu", 1) as reference:
        expected = reference(images, 0.0)
    with load_predictor(package, runtime, "cpu", 1, precision=precision) as predictor:
        found = predictor(images, 0.0)
        found[-1:] = predictor(images[-1:], 0.0)
    return dict(family("detection").differences(expected, found, 0.05))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("onnx", Form("onnx", "float32")),
        ("onnx-fused", Form("onnx-fused", "float32")),
        ("onnx-fused-float16", Form("onnx-fused", "float16")),
        ("openvino-float16", Form("openvino", "float16")),
        ("tensorrt-int8", Form("tensorrt", "int8")),
    ],
)
def test_a_name_says_format_and_precision(name: FormName, form: Form) -> None:
    assert ExportOptions(formats=(name,)).forms == (form,)


def test_forms_lie_side_by_side(forms: Path) -> None:
    package = ModelPackage.load(forms)
    found = {a.file: (a.format, a.precision) for a in package.card.artifacts}
    assert found == {
        "weights.safetensors": ("safetensors", "float32"),
        "model.onnx": ("onnx", "float32"),
        "openvino/model.xml": ("openvino", "float32"),
        "model-float16.onnx": ("onnx", "float16"),
        "model-fused.onnx": ("onnx-fused", "float32"),
        "model-fused-float16.onnx": ("onnx-fused", "float16"),
        "openvino/model-float16.xml": ("openvino", "float16"),
    }
    bytes_of = {a.file: a.bytes for a in package.card.artifacts}
    assert bytes_of["model-float16.onnx"] < 0.65 * bytes_of["model.onnx"]
    assert package.artifact("onnx").file == "model.onnx"
    made = [a for a in package.card.artifacts if a.format != "safetensors"]
    assert all(a.parity and a.parity.compared > 10 for a in made)
    measured = {metric.artifact for metric in package.card.metrics if metric.name == "mAP"}
    assert measured == set(found)
    tolerances = {a.file: a.parity.tolerance["score"] for a in made if a.parity}
    assert tolerances["model-float16.onnx"] == 0.02
    assert tolerances["model-fused.onnx"] == 1e-4


def test_a_file_says_what_it_is(forms: Path) -> None:
    said = {}
    for name in ("model.onnx", "model-float16.onnx", "model-fused-float16.onnx"):
        graph = onnx.load(forms / name)
        found = {prop.key: prop.value for prop in graph.metadata_props}
        assert json.loads(found["sightline"])["classes"][1]["name"] == "blue"
        form = json.loads(found[FORM])
        assert [one["name"] for one in form["outputs"]] == [one.name for one in graph.graph.output]
        said[name] = form["precision"], form["postprocessor"]
    assert said == {
        "model.onnx": ("float32", "apart"),
        "model-float16.onnx": ("float16", "apart"),
        "model-fused-float16.onnx": ("float16", "fused"),
    }
    text = (forms / "openvino/model-float16.xml").read_text()
    assert "&quot;precision&quot;:&quot;float16&quot;" in text


def test_a_fused_file_needs_onnxruntime_alone(forms: Path, images: list[Image]) -> None:
    """Pixels in, boxes in pixels of the input out; only placing is left to do."""
    card = ModelPackage.load(forms).card
    session = onnxruntime.InferenceSession(forms / "model-fused.onnx")
    inputs, placements = card.preprocessing(images)
    boxes, scores, labels = session.run(["boxes", "scores", "labels"], {"images": inputs})
    with load_predictor(forms, "torch", "cpu", 1) as predictor:
        expected = predictor(images, 0.0)
    for index, (found, placement) in enumerate(zip(expected, placements, strict=True)):
        placed = placement.to_picture(boxes[index])
        np.testing.assert_allclose(scores[index], found.scores, atol=1e-4)
        sure = found.scores > 0.05
        assert labels[index][sure].tolist() == found.classes[sure].tolist()
        np.testing.assert_allclose(placed[sure], found.boxes[sure], atol=0.05)
    assert sum((found.scores > 0.05).sum() for found in expected) > 5


@pytest.mark.parametrize(
    ("runtime", "precision", "score", "position"),
    [
        ("onnxruntime", "float16", 0.02, 2.0),
        ("onnxruntime-fused", "float32", 1e-4, 0.05),
        ("onnxruntime-fused", "float16", 0.02, 2.0),
        ("openvino", "float16", 0.02, 2.0),
    ],
)
def test_every_form_says_the_same(
    forms: Path,
    images: list[Image],
    runtime: str,
    precision: str,
    score: float,
    position: float,
) -> None:
    off = same(forms, runtime, precision, images)
    assert len(off["score"]) > 10
    assert off["score"].max() < score
    assert off["position"].max() < position


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnxruntime-fused", "openvino"])
def test_a_fixed_batch_takes_any_number_of_pictures(
    pairs: Path, images: list[Image], runtime: str
) -> None:
    """Five at once, so that one is left over, and one alone."""
    off = same(pairs, runtime, None, images)
    assert len(off["score"]) > 10
    assert off["score"].max() < 1e-4
    assert off["position"].max() < 0.05


def test_a_fixed_batch_is_in_the_files(pairs: Path) -> None:
    package = ModelPackage.load(pairs)
    for name in ("model.onnx", "model-fused.onnx"):
        graph = onnx.load(pairs / name).graph
        for value in (*graph.input, *graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_value == 2
    session = onnxruntime.InferenceSession(pairs / "model.onnx")
    shape = package.card.input.shape[1:]
    with pytest.raises(Exception, match="Got invalid dimensions"):
        session.run(None, {"images": np.zeros((3, *shape), np.uint8)})
    assert [a.batch for a in package.card.artifacts] == [None, 2, 2, 2]


def test_simplifying_takes_nodes_out_and_changes_nothing(exported: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(exported)
    tools = [
        write_onnx(package, tmp_path / f"{simple}.onnx", simplify=simple)
        for simple in (False, True)
    ]
    assert "onnxslim" in tools[1]
    assert "onnxslim" not in tools[0]
    plain, simple = (tmp_path / f"{name}.onnx" for name in (False, True))
    assert len(onnx.load(simple).graph.node) < len(onnx.load(plain).graph.node)
    shape = (2, *package.card.input.shape[1:])
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    results = [
        onnxruntime.InferenceSession(file).run(None, {"images": noise}) for file in (plain, simple)
    ]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(np.sort(one, 1), np.sort(other, 1), atol=1e-5)


def test_a_simplifier_that_changes_results_is_found_out(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(graph: Any) -> Any:
        for tensor in graph.graph.initializer:
            if "class_embed" in tensor.name and tensor.name.endswith("bias"):
                values = onnx.numpy_helper.to_array(tensor) + np.float32(0.01)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        return graph

    monkeypatch.setattr(onnxslim, "slim", careless)
    with pytest.raises(ExportError, match=r"changed 'logits' by .*; export with simplify=false"):
        write_onnx(ModelPackage.load(exported), tmp_path / "model.onnx", simplify=True)


def test_a_float16_form_that_loses_too_much_is_refused(
    exported: Path, squares: Path, tmp_path: Path
) -> None:
    """The gate looks at each file: this one passes only at float16's own tolerance."""
    strict = {"score": 1e-6, "position": 1e-3}
    options = ExportOptions.model_validate(
        {"formats": ("onnx-float16",), "tolerance_float16": strict, **FEW}
    )
    with pytest.raises(
        ExportError, match=r"model-float16\.onnx under onnxruntime is not the model"
    ):
        export(exported, tmp_path / "package", squares, options, Silence())
    assert list(tmp_path.iterdir()) == []


def test_a_form_is_written_once_for_those_made_from_it(
    exported: Path, squares: Path, tmp_path: Path
) -> None:
    listener = Listener()
    options = ExportOptions(formats=("onnx-fused-float16", "openvino"), **FEW)
    done = export(exported, tmp_path / "package", squares, options, listener)
    assert [line for line in listener.lines if line.startswith("writing")] == [
        "writing model.onnx",
        "writing model-float16.onnx",
        "writing model-fused-float16.onnx",
        "writing openvino/model.xml",
    ]
    # Those that were asked for, beside what the package had before.
    assert not (done.package / "model-float16.onnx").exists()
    shutil.rmtree(done.package)


@pytest.mark.parametrize(
    ("precision", "option"),
    [
        ("float32", "tolerance"),
        ("float16", "tolerance_float16"),
        ("mixed", "tolerance_float16"),
        ("int8", "tolerance_int8"),
    ],
)
def test_each_precision_has_a_tolerance_of_its_own(precision: Any, option: str) -> None:
    options = ExportOptions.model_validate({option: {"score": 0.123}})
    assert options.tolerance_of(precision).score == 0.123
    assert ExportOptions().tolerance_of(precision).score != 0.123
