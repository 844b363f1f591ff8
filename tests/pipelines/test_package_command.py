from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.package import (
    Input,
    ModelCard,
    ModelClass,
    ModelPackage,
    NewArtifact,
    Output,
    Preprocessing,
    zip_package,
)
from pipelines.cli import main


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A detector whose files are no networks: nobody runs them here."""
    files = {}
    for name in ("weights.safetensors", "model.onnx", "half.onnx", "model.xml", "model.bin"):
        files[name] = tmp_path / name
        files[name].write_bytes(name.encode())
    card = ModelCard(
        family="detection",
        network={"name": "dfine"},
        classes=(ModelClass(name="red"),),
        input=Input(shape=("batch", 64, 96, 3)),
        preprocessing=Preprocessing(height=64, width=96),
        outputs=(
            Output(name="logits", shape=("batch", 10, 1)),
            Output(name="boxes", shape=("batch", 10, 4)),
        ),
        postprocessing={"kind": "detr", "max_detections": 10},
    )
    artifacts = [
        NewArtifact("safetensors", {"weights.safetensors": files["weights.safetensors"]}),
        NewArtifact("onnx", {"model.onnx": files["model.onnx"]}),
        NewArtifact("onnx", {"half.onnx": files["half.onnx"]}, "float16"),
        NewArtifact("openvino", {name: files[name] for name in ("model.xml", "model.bin")}),
    ]
    return ModelPackage.create(tmp_path / "package", card, artifacts).folder


@pytest.mark.parametrize(
    ("command", "options", "file", "requirement"),
    [
        ("package", [], "model.onnx", "onnxruntime"),
        ("deploy", ["--runtime", "openvino"], "model.xml", "openvino"),
        ("package", ["--precision", "float16"], "half.onnx", "onnxruntime"),
    ],
)
@pytest.mark.parametrize("source", ["folder", "zip"])
def test_runtime_and_precision_choose_the_form(
    package: Path,
    command: str,
    options: list[str],
    file: str,
    requirement: str,
    source: str,
    tmp_path: Path,
) -> None:
    model = package if source == "folder" else zip_package(package, tmp_path / "model.zip")
    out = tmp_path / "out.zip"
    result = CliRunner().invoke(main, [command, str(model), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{out}: {file} for {requirement}, ")
    with zipfile.ZipFile(out) as zipped:
        names = {name.partition("/")[2] for name in zipped.namelist()}
        wanted = zipped.read("detection-model/requirements.txt").decode()
    assert {"predict.py", "README.md", "LICENSE", "model_card.md", "model.json", file} <= names
    assert not {"weights.safetensors"} & names
    assert requirement in wanted


def test_a_folder_comes_out_where_the_name_says_no_zip(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    result = CliRunner().invoke(main, ["package", str(package), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert (out / "predict.py").is_file()
    again = CliRunner().invoke(main, ["package", str(package), "--out", str(out)])
    assert again.exit_code == 1
    assert again.output.startswith(f"Error: {out} is not empty") and again.output.count("\n") == 1


@pytest.mark.parametrize(
    ("model", "options", "line"),
    [
        ("./nowhere", [], "there is no such file or folder"),
        ("PACKAGE", ["--precision", "int8"], "has no onnx int8 artifact"),
        ("PACKAGE", ["--runtime", "openvino", "--precision", "mixed"], "no openvino mixed"),
    ],
)
def test_a_mistake_is_one_line(
    package: Path, model: str, options: list[str], line: str, tmp_path: Path
) -> None:
    model = str(package) if model == "PACKAGE" else model
    out = ["--out", str(tmp_path / "out.zip")]
    result = CliRunner().invoke(main, ["package", model, *out, *options])
    assert result.exit_code == 1
    assert line in result.output and result.output.count("\n") == 1
