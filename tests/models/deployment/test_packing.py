"""What is shipped predicts what we predict, without us."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.deployment import pack
from models.deployment.modules import shipped_modules
from models.deployment.readme import requirements
from models.deployment.standalone.description import Input
from models.deployment.standalone.predict import main
from models.detection.dataset import read_labels, read_picture
from models.detection.standalone import Detector as Model
from models.images import Image
from models.package import ModelPackage, Preprocessing, Threshold
from models.runtimes import load_predictor

ROOT = Path(__file__).resolve().parents[3]
# What must not be needed; a shipped folder that asks for one of them fails.
BLOCKER = """
import runpy, sys
class Blocker:
    names = {"torch", "torchvision", "transformers", "pydantic", "clearml", "models", "components",
             "pipelines", "agent", "sightline", "rich", "click", "scipy", "plotly",
             *sys.argv[1].split(",")}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocker())
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def images(squares: Path) -> list[Image]:
    labels = read_labels(squares, "val")
    return [read_picture(labels.folder / name) for name in labels.files[:5]]


@pytest.fixture(scope="module")
def dense(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """An untrained YOLOX as ONNX and OpenVINO: boxes everywhere, for NMS to thin out."""
    import torch
    from safetensors.torch import save_file

    from models.detection.networks.building import build_network
    from models.detection.networks.options import NetworkOptions
    from models.export.onnx_format import write_onnx
    from models.export.openvino_format import write_openvino
    from models.package import Input as CardInput
    from models.package import NewArtifact
    from models.training.weights import network_weights

    folder = tmp_path_factory.mktemp("dense")
    options = NetworkOptions.model_validate(
        {"name": "yolox", "backbone": "resnet10t", "image_size": 96, "hidden_width": 32}
    )
    torch.manual_seed(0)
    network: Any = build_network(options, 2).eval()
    weights = folder / "weights.safetensors"
    save_file(network_weights(network), weights)
    steps = {**network.postprocessing().model_dump(mode="json"), "least_score": 0.0}
    card = ModelPackage.load(exported).card.model_copy(
        update={
            "network": options.model_dump(mode="json"),
            "input": CardInput(shape=("batch", 96, 96, 3)),
            "preprocessing": Preprocessing(height=96, width=96, alignment="top-left"),
            "outputs": network.outputs(),
            "postprocessing": steps,
            "metrics": (),
            "artifacts": (),
        }
    )
    made = ModelPackage.create(
        folder / "package", card, [NewArtifact("safetensors", {weights.name: weights})]
    )
    onnx, xml = folder / "model.onnx", folder / "model.xml"
    write_onnx(made, onnx)
    write_openvino(made.card, onnx, xml, "float32")
    forms = [
        NewArtifact("onnx", {"model.onnx": onnx}),
        NewArtifact("openvino", {"model.xml": xml, "model.bin": xml.with_suffix(".bin")}),
    ]
    return made.with_artifacts(forms).save(folder / "exported")


def same(package: ModelPackage, folder: Path, images: list[Image], runtime: str) -> int:
    """Compare a packed model with our predictor; returns how many results were compared."""
    deployed, count = Model(folder, threads=1, batch_size=2), 0
    with load_predictor(package, runtime, "cpu", 1, batch_size=2) as predictor:
        for threshold in (None, 0.0, 0.3):
            expected, found = predictor(images, threshold), deployed(images, threshold)
            for one, other in zip(expected, found, strict=True):
                assert (one.classes == other.classes).all()
                np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
                np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-4)
                count += len(one)
    return count


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_queries_with_thresholds_by_class_predict_the_same(
    exported: Path, images: list[Image], runtime: str, tmp_path: Path
) -> None:
    limits = Threshold(value=0.4, per_class={"blue": 0.05})
    package = ModelPackage.load(exported).with_threshold(limits).save(tmp_path / "package")
    done = pack(package, tmp_path / "out", runtime=runtime)
    assert done.runtime == runtime
    assert same(package, tmp_path / "out", images, runtime) > 100
    assert Model(tmp_path / "out").thresholds == [0.4, 0.05]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_dense_network_predicts_the_same(
    dense: ModelPackage, images: list[Image], runtime: str, tmp_path: Path
) -> None:
    pack(dense, tmp_path / "out", runtime=runtime)
    assert same(dense, tmp_path / "out", images, runtime) > 100


def test_a_stretched_input_predicts_the_same(
    exported: Path, images: list[Image], tmp_path: Path
) -> None:
    package = ModelPackage.load(exported)
    steps = package.card.preprocessing.model_copy(update={"resize_mode": "stretch"})
    package = replace(package, card=package.card.model_copy(update={"preprocessing": steps}))
    pack(package.save(tmp_path / "package"), tmp_path / "out", runtime="onnxruntime")
    assert same(package, tmp_path / "out", images, "onnxruntime") > 100


@pytest.mark.parametrize("resize_mode", ["letterbox", "stretch"])
@pytest.mark.parametrize("alignment", ["centre", "top-left"])
@pytest.mark.parametrize("interpolation", ["mipmap", "linear", "area"])
def test_the_input_is_the_same_to_the_byte(
    resize_mode: str, alignment: str, interpolation: str
) -> None:
    ours = Preprocessing.model_validate(
        {
            "height": 48,
            "width": 64,
            "resize_mode": resize_mode,
            "alignment": alignment,
            "interpolation": interpolation,
            "fill": (1, 2, 3),
        }
    )
    shipped = Input(json.loads(ours.model_dump_json()))
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((97, 301), (500, 20))]
    expected, places = ours(pictures)
    found, others = shipped(pictures)
    assert (expected == found).all() and places == others


def boxes_of(entry: dict[str, Any]) -> np.ndarray:
    sides = ("left", "top", "right", "bottom")
    return np.array([[row[side] for side in sides] for row in entry["results"]]).reshape(-1, 4)


def run_isolated(folder: Path, *arguments: str, block: str = "-") -> Any:
    """Run the packed command line with nothing of ours on the path, and much blocked."""
    return subprocess.run(
        [sys.executable, "-I", "-c", BLOCKER, block, str(folder / "predict.py"), *arguments],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def shipped(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed zip, unpacked."""
    folder = tmp_path_factory.mktemp("shipped")
    done = pack(ModelPackage.load(exported), folder / "model.zip")
    with zipfile.ZipFile(done.path) as zipped:
        zipped.extractall(folder)
    return folder / done.name


def test_the_command_line_runs_with_nothing_of_ours(
    exported: Path, shipped: Path, squares: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(squares / "val" / "data", pictures / "a" / "b")
    for path in sorted((pictures / "a" / "b").iterdir())[4:]:
        path.unlink()
    (pictures / "broken.jpg").write_bytes(b"no picture")
    outputs = ["--json", str(tmp_path / "f.json"), "--csv", str(tmp_path / "f.csv")]
    done = run_isolated(shipped, str(pictures), *outputs, "--draw", str(tmp_path / "drawn"))
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1 and "broken.jpg can't be decoded" in done.stderr
    found = json.loads((tmp_path / "f.json").read_text())["pictures"]
    rows = list(csv.DictReader((tmp_path / "f.csv").open()))
    files = [Path(one["file"]) for one in found]
    with load_predictor(exported, "onnxruntime", "cpu", 1) as predictor:
        expected = predictor([read_picture(file) for file in files])
    assert len(rows) == sum(len(one) for one in expected) > 3
    for one, entry in zip(expected, found, strict=True):
        boxes = boxes_of(entry)
        np.testing.assert_allclose(boxes, one.boxes, atol=1e-3)
        names = [thing["class"] for thing in entry["results"]]
        ids = [thing["category_id"] for thing in entry["results"]]
        assert names == [("red", "blue")[label] for label in one.classes]
        assert ids == [(1, 3)[label] for label in one.classes]
    assert rows[0]["class"] in ("red", "blue") and float(rows[0]["right"]) > float(rows[0]["left"])
    drawn = sorted(
        path.relative_to(tmp_path / "drawn") for path in (tmp_path / "drawn").rglob("*.jpg")
    )
    assert drawn == [Path("a/b") / f"{number:03}.jpg" for number in range(4)]
    assert (read_picture(tmp_path / "drawn" / drawn[0]) != read_picture(files[0])).any()


def test_only_drawing_needs_pillow(shipped: Path, squares: Path, tmp_path: Path) -> None:
    picture = str(squares / "val" / "data" / "000.png")
    assert run_isolated(shipped, picture, block="PIL").returncode == 0
    done = run_isolated(shipped, picture, "--draw", str(tmp_path), block="PIL")
    assert (done.returncode, done.stderr) == (2, "error: --draw needs Pillow: pip install pillow\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["FOLDER"], "holds no pictures"),
        (["PICTURE", "--threshold", "2"], "expected a number from 0 to 1"),
        (["PICTURE", "--threads", "0"], "threads=0: expected at least 1"),
        (["PICTURE", "--batch-size", "0"], "batch_size=0: expected at least 1"),
    ],
)
def test_a_mistake_is_one_line(
    shipped: Path,
    squares: Path,
    arguments: list[str],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.deployment.standalone.model._HERE", shipped)
    known = {"PICTURE": str(squares / "val" / "data" / "000.png"), "FOLDER": str(tmp_path)}
    assert main(Model, [known.get(one, one) for one in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and line in error and error.count("\n") == 1


def test_options_have_an_effect(
    shipped: Path,
    squares: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.deployment.standalone.model._HERE", shipped)
    data = str(squares / "val" / "data")

    def found(*options: str) -> list[Any]:
        file = tmp_path / "f.json"
        assert main(Model, [data, "--json", str(file), *options]) == 0
        return [one["results"] for one in json.loads(file.read_text())["pictures"]]

    plain = found()
    assert sum(map(len, found("--threshold", "0"))) == 21 * 20 > sum(map(len, plain))
    assert not any(found("--threshold", "1"))
    seen: list[int] = []
    call = Model.__call__
    monkeypatch.setattr(
        Model, "__call__", lambda s, i, t=None: (seen.append(len(i)), call(s, i, t))[1]
    )
    together = found("--batch-size", "8", "--threads", "1")
    assert seen == [8, 8, 5]
    assert [len(one) for one in together] == [len(one) for one in plain]


def test_a_huge_picture_is_left_out(shipped: Path, tmp_path: Path) -> None:
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    side = (20_000).to_bytes(4, "big")
    row = zlib.compress(b"\0" * 2501 * 100)
    header = chunk(b"IHDR", side + side + bytes([1, 0, 0, 0, 0]))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    (tmp_path / "huge.png").write_bytes(content)
    done = run_isolated(shipped, str(tmp_path / "huge.png"))
    assert done.returncode == 1
    assert "huge.png can't be decoded" in done.stderr and "Traceback" not in done.stderr


def test_the_same_model_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(exported)
    one = pack(package, tmp_path / "one.zip").path.read_bytes()
    assert pack(package, tmp_path / "sub" / "two.zip").path.read_bytes() == one
    assert pack(package, tmp_path / "one.zip").path.read_bytes() == one  # takes its own place
    with zipfile.ZipFile(tmp_path / "one.zip") as zipped:
        names = zipped.namelist()
    assert all(re.fullmatch(r"detection-model/[\w./-]+", name) for name in names)
    assert not [name for name in names if ".." in name]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_defaults_that_a_package_leaves_out_are_written_down(
    constant_detector: Path, tmp_path: Path
) -> None:
    """Shipped code knows no defaults."""
    package = ModelPackage.load(constant_detector)
    bare = package.card.model_copy(update={"postprocessing": {"kind": "detr"}})
    pack(replace(package, card=bare), tmp_path / "out")
    assert ModelPackage.load(tmp_path / "out").card.postprocessing["max_detections"] == 300
    (found,) = Model(tmp_path / "out", threads=1)([np.zeros((40, 80, 3), np.uint8)])
    assert found.boxes.tolist() == [[0, 0, 40, 40], [40, 10, 80, 30]]


def test_a_packed_folder_is_a_model_package_with_one_form(shipped: Path) -> None:
    card = ModelPackage.load(shipped).card
    assert [artifact.format for artifact in card.artifacts] == ["onnx"]
    text = (shipped / "README.md").read_text()
    figures = [metric for metric in card.metrics if metric.artifact == "model.onnx"]
    assert figures
    for metric in figures:
        assert f"| {metric.name} | {metric.value:.4f} | val, 21 pictures |" in text
    assert "weights.safetensors under PyTorch" in text


@pytest.mark.parametrize("name", ["notes.zip", "folder"])
def test_foreign_files_stay(exported: Path, name: str, tmp_path: Path) -> None:
    target = tmp_path / name
    if name == "folder":
        target.mkdir()
        (target / "mine.txt").write_text("mine")
    else:
        with zipfile.ZipFile(target, "w") as zipped:
            zipped.writestr("mine.txt", "mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"no packaged model|is not empty"):
        pack(ModelPackage.load(exported), target)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_cannot_be_packed_is_refused(exported: Path, trained: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(exported)

    def changed(**values: Any) -> ModelPackage:
        return replace(package, card=package.card.model_copy(update=values))

    other = {**package.card.postprocessing, "kind": "masks"}
    cases = [
        (ModelPackage.load(trained), {}, "run the export stage"),
        (package, {"runtime": "torch"}, "expected one of onnxruntime, openvino"),
        (package, {"precision": "int8"}, "no onnx int8 artifact"),
        (changed(family="poems"), {}, "no task family 'poems'"),
        (changed(postprocessing=other), {}, "expected one of detr, dense, got 'masks'"),
    ]
    for one, options, line in cases:
        with pytest.raises(ValueError, match=line):
            pack(one, tmp_path / "out", **options)
        assert not list(tmp_path.iterdir())


def test_a_model_file_named_like_the_code_is_refused(exported: Path, tmp_path: Path) -> None:
    from models.package import NewArtifact

    package = ModelPackage.load(exported)
    file = package.path(package.artifact("onnx"))
    for name in ("Predict.py", "sightline_model/model.py"):
        bad = replace(package, card=package.card.model_copy(update={"artifacts": ()}), sources={})
        bad = bad.with_artifacts([NewArtifact("onnx", {name: file})])
        with pytest.raises(ValueError, match="has the name of a file of the code"):
            pack(bad, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda card: card.pop("classes"), "classes is missing"),
        (lambda card: card.update(preprocessing=[]), "isn't what it should be"),
        (lambda card: card.update(schema=9), "expected a model for detection with schema 1"),
        (lambda card: card["artifacts"][0]["files"][0].update(file="../x"), "leads out"),
        (lambda card: card["artifacts"][0]["files"][0].update(bytes=1), "missing or damaged"),
    ],
)
def test_a_damaged_folder_is_one_line(
    shipped: Path, change: Any, line: str, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(shipped, folder)
    card = json.loads((folder / "model.json").read_text())
    change(card)
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=line):
        Model(folder)


def test_a_network_with_a_fixed_batch_takes_any_number(
    exported: Path, images: list[Image], tmp_path: Path
) -> None:
    """ONNX and OpenVINO files may be written for a fixed number of pictures."""
    import openvino

    from models.deployment.network import open_network

    package = ModelPackage.load(exported)
    core = openvino.Core()
    graph = core.read_model(package.path(package.artifact("openvino")))
    graph.reshape({0: [2, *package.card.input.shape[1:]]})
    openvino.save_model(graph, tmp_path / "fixed.xml", compress_to_fp16=False)
    names = [output.name for output in package.card.outputs]
    shape = package.card.input.shape[1:]
    free = open_network(package.path(package.artifact("openvino")), "openvino", names, shape, 1)
    fixed = open_network(tmp_path / "fixed.xml", "openvino", names, shape, 1)
    inputs, _ = package.card.preprocessing(images)
    for one, other in zip(free(inputs), fixed(inputs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_requirements_ask_for_no_less_than_we_do() -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for runtime in ("onnxruntime", "openvino"):
        (wanted,) = [one for one in ours["export"] if re.match(rf"{runtime}\b", one)]
        assert wanted in requirements(runtime).splitlines()


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("models.preprocessing", "it imports pydantic"),
        ("models.runtimes.engines", "it imports pydantic"),
    ],
)
def test_a_module_that_needs_more_is_not_shipped(module: str, line: str) -> None:
    with pytest.raises(RuntimeError, match=line):
        shipped_modules(module)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_it_runs_in_an_environment_of_its_own(
    exported: Path, squares: Path, runtime: str, tmp_path: Path
) -> None:
    """Needs a package index."""
    pack(ModelPackage.load(exported), tmp_path / "model", runtime=runtime)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    wanted = tmp_path / "model" / "requirements.txt"
    pip = [python, "-m", "pip", "install", "-q", "-r", wanted]
    installed = subprocess.run(pip, capture_output=True, text=True)
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip("no package index can be reached")
    assert installed.returncode == 0, installed.stderr
    code = [python, "predict.py", squares / "val" / "data", "--json", tmp_path / "f.json"]
    subprocess.run([*code, "--draw", tmp_path / "drawn"], cwd=tmp_path / "model", check=True)
    found = json.loads((tmp_path / "f.json").read_text())["pictures"]
    with load_predictor(exported, runtime, "cpu", 1, batch_size=1) as predictor:
        expected = predictor([read_picture(Path(one["file"])) for one in found])
    for one, entry in zip(expected, found, strict=True):
        boxes = boxes_of(entry)
        np.testing.assert_allclose(boxes, one.boxes, atol=0.01)
