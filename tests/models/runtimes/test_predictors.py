"""One predictor over several runtimes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from models.detection.dataset import read_labels, read_picture
from models.families import family
from models.package import ModelPackage, NewArtifact, Threshold
from models.reporting import Image
from models.runtimes import RUNTIMES, load_predictor
from models.runtimes.openvino_engine import computes_bfloat16

HERE = ("onnxruntime", "openvino", "torch")
"""Runtimes of the forms in `exported` that need no GPU."""


@pytest.fixture(scope="module")
def images(squares: Path) -> list[Image]:
    labels = read_labels(squares, "val")
    return [read_picture(labels.folder / name) for name in labels.files[:7]]


EXACT = 1e-4, 0.05
ROUGH = 0.1, 8.0
"""Difference of score, and of position in pixels: bfloat16 has 8 bits."""


@pytest.mark.parametrize(
    ("runtime", "options", "tolerance"),
    [
        ("torch", {}, EXACT),
        ("torch", {"arithmetic": "bfloat16"}, ROUGH),
        ("onnxruntime", {}, EXACT),
        ("openvino", {}, EXACT),
        ("openvino", {"mode": "throughput"}, EXACT),
        ("openvino", {"arithmetic": "bfloat16"}, ROUGH),
    ],
)
def test_all_runtimes_say_the_same(
    exported: Path,
    images: list[Image],
    runtime: str,
    options: dict[str, Any],
    tolerance: tuple[float, float],
) -> None:
    with load_predictor(exported, "torch", "cpu", 1) as reference:
        expected = reference(images, 0.0)
    rough = options.get("arithmetic") == "bfloat16"
    if runtime == "openvino" and rough and not computes_bfloat16(openvino.Core()):
        with pytest.raises(ValueError, match="doesn't compute in bfloat16 on CPU"):
            load_predictor(exported, runtime, "cpu", 1, **options)
        return
    with load_predictor(exported, runtime, "cpu", 1, batch_size=3, **options) as predictor:
        together = predictor(images, 0.0)
        alone = [predictor([image], 0.0)[0] for image in images]
    compare = family("detection").differences
    for found in (together, alone):
        off = compare(expected, found, 0.05)
        assert len(off["score"]) > 20
        # Near ties between queries fall either way in bfloat16.
        share = 1.0 if tolerance == EXACT else 0.8
        assert np.mean(off["score"] < tolerance[0]) >= share
        assert np.mean(off["position"] < tolerance[1]) >= share


@pytest.mark.parametrize("runtime", HERE)
def test_results_stay_when_the_next_call_comes(
    exported: Path, images: list[Image], runtime: str
) -> None:
    with load_predictor(exported, runtime, "cpu", 1) as predictor:
        inputs, _ = predictor.package.card.preprocessing(images[:1])
        first = predictor.engine(inputs)
        kept = [output.copy() for output in first]
        predictor.engine(255 - inputs)
        assert all((one == other).all() for one, other in zip(first, kept, strict=True))
        assert not (predictor.engine(255 - inputs)[0] == kept[0]).all()


def test_it_finds_the_squares(trained: Path, squares: Path) -> None:
    """Boxes are in pixels of the original pictures, of three shapes."""
    labels = read_labels(squares, "val")
    pictures = [read_picture(labels.folder / name) for name in labels.files]
    with load_predictor(trained, "torch", "cpu", 1) as predictor:
        results = predictor(pictures, 0.0)
    overlaps = []
    for boxes, found in zip(labels.boxes, results, strict=True):
        for box in boxes:
            low = np.maximum(found.boxes[:, :2], box[:2])
            high = np.minimum(found.boxes[:, 2:], box[2:])
            shared = np.prod(np.clip(high - low, 0, None), axis=1)
            both = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
            overlaps.append((shared / (both + np.prod(box[2:] - box[:2]) - shared)).max())
    assert np.median(overlaps) > 0.4


def test_the_packages_threshold_is_used(trained: Path, images: list[Image]) -> None:
    package = ModelPackage.load(trained)
    with load_predictor(package, "torch", "cpu", 1) as predictor:
        uncut = predictor(images, 0.0)
    scores = np.sort(np.concatenate([found.scores for found in uncut]))
    middle = float(scores[len(scores) // 2])
    chosen = Threshold(value=middle, per_class={"blue": 1.0})
    with load_predictor(package.with_threshold(chosen), "torch", "cpu", 1) as predictor:
        cut = predictor(images)
        assert predictor(images, 0.0)[0].scores.tolist() == uncut[0].scores.tolist()
    for all_found, found in zip(uncut, cut, strict=True):
        kept = (all_found.classes == 0) & (all_found.scores >= np.float32(middle))
        assert found.scores.tolist() == all_found.scores[kept].tolist()


def test_no_pictures_no_results(trained: Path) -> None:
    with load_predictor(trained, "torch", "cpu", 1) as predictor:
        assert predictor([]) == []


def test_threads_are_put_back(trained: Path, images: list[Image]) -> None:
    import torch

    before = torch.get_num_threads()
    seen = []
    with load_predictor(trained, "torch", "cpu", before + 1) as predictor:
        network: Any = predictor.engine
        network._network.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
        predictor(images[:1])
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_bfloat16_is_near_and_not_the_same(exported: Path, images: list[Image]) -> None:
    with load_predictor(exported, "torch", "cpu", 1) as predictor:
        exact = predictor.raw(images)[0][0]
    with load_predictor(exported, "torch", "cpu", 1, arithmetic="bfloat16") as predictor:
        rough = predictor.raw(images)[0][0]
    assert rough.dtype == np.float32
    assert 0 < np.median(np.abs(rough - exact)) < 0.3
    with pytest.raises(ValueError, match="use float32"):
        load_predictor(exported, "onnxruntime", "cpu", arithmetic="bfloat16")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"runtime": "tensorflow"}, "no runtime 'tensorflow'; there are: torch, onnxruntime"),
        ({"runtime": "torch", "device": "abacus"}, "device=abacus"),
        ({"runtime": "torch", "device": "cuda:99"}, "sees no such GPU"),
        ({"runtime": "onnxruntime", "device": "abacus"}, "device=abacus"),
        ({"runtime": "openvino", "device": "abacus"}, "device=abacus"),
        ({"runtime": "torch", "threads": 0}, "threads=0"),
        ({"runtime": "torch", "batch_size": 0}, "batch_size=0"),
        ({"runtime": "onnxruntime", "precision": "int8"}, "has no onnx int8 artifact"),
        ({"runtime": "torch", "mode": "throughput"}, "mode=throughput: torch has no such mode"),
        ({"runtime": "openvino", "compiled": True}, "compiled=true: that is for the runtime torch"),
    ],
)
def test_wrong_wishes_get_one_line(exported: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        load_predictor(exported, **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_between_0_and_1(trained: Path, threshold: float) -> None:
    with (
        load_predictor(trained, "torch", "cpu", 1) as predictor,
        pytest.raises(ValueError, match="expected a number from 0 to 1"),
    ):
        predictor([], threshold)


def test_a_form_that_was_not_exported_is_said(trained: Path) -> None:
    with pytest.raises(ValueError, match="export the model first"):
        load_predictor(trained, "onnxruntime")


@pytest.mark.parametrize(
    ("runtime", "extra"), [("torch", "train"), ("onnxruntime", "export"), ("openvino", "export")]
)
def test_a_missing_library_gives_one_line(
    exported: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, runtime, None)
    with pytest.raises(ValueError) as caught:
        load_predictor(exported, runtime)
    assert str(caught.value) == (
        f"the runtime {runtime} needs {runtime}, which is not installed here: "
        f"pip install 'sightline[{extra}]'"
    )


@pytest.mark.parametrize("runtime", HERE)
def test_a_broken_file_gives_one_line(exported: Path, tmp_path: Path, runtime: str) -> None:
    """Well packed, but no network: the hash fits."""
    package = ModelPackage.load(exported)
    form = RUNTIMES[runtime].format
    assert form
    artifact = package.artifact(form)
    (tmp_path / "junk").write_bytes(b"junk" * 99)
    files = {file.file: tmp_path / "junk" for file in artifact.files}
    broken = package.with_artifacts([NewArtifact(artifact.format, files)]).save(tmp_path / "p")
    with pytest.raises(ValueError) as caught:
        load_predictor(broken.folder, runtime)
    assert artifact.file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_networks_weights_are_refused(trained: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "w")
    package = ModelPackage.load(trained).with_artifacts(
        [NewArtifact("safetensors", {"weights.safetensors": tmp_path / "w"})]
    )
    with pytest.raises(ValueError, match="not those of this network"):
        load_predictor(package, "torch", "cpu")


def test_onnx_data_outside_the_folder_is_not_read(exported: Path, tmp_path: Path) -> None:
    import onnx

    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 4096)
    package = ModelPackage.load(exported)
    graph = onnx.load(package.path(package.artifact("onnx")))
    for tensor in graph.graph.initializer:
        if len(tensor.raw_data) == 4096 or len(tensor.raw_data) > 1000:
            size = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", "../secret"), ("length", str(min(size, 4096)))):
                tensor.external_data.add(key=key, value=value)
            break
    (tmp_path / "evil.onnx").write_bytes(graph.SerializeToString())
    evil = package.with_artifacts(
        [NewArtifact("onnx", {"model.onnx": tmp_path / "evil.onnx"})]
    ).save(tmp_path / "p")
    with pytest.raises(ValueError) as caught:
        load_predictor(evil.folder, "onnxruntime")
    assert "\n" not in str(caught.value)


def test_compiling_without_a_compiler_is_said(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError) as caught:
        load_predictor(trained, "torch", "cpu", compiled=True)
    assert "compiled=true: PyTorch needs a C++ compiler" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("runtime", "heavy"),
    [
        (None, {"torch", "onnxruntime", "openvino", "transformers", "cv2", "onnx"}),
        ("onnxruntime", {"torch", "openvino", "transformers"}),
        ("openvino", {"torch", "onnxruntime", "transformers"}),
    ],
)
def test_only_what_is_needed_is_imported(
    exported: Path, runtime: str | None, heavy: set[str]
) -> None:
    code = f"""
import sys, numpy as np
from models.runtimes import load_predictor
import models.export.options, models.package
if {runtime!r}:
    load_predictor({str(exported)!r}, {runtime!r}, "cpu", 1)([np.zeros((9, 9, 3), np.uint8)])
print(*({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
