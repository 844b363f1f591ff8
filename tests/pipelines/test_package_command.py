from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.benchmark.hardware import hardware
from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.model_card import CardPicture
from models.model_card.evidence import pictures_record
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

ROOT = Path(__file__).resolve().parents[2]


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


def measured(folder: Path, model: str) -> tuple[Path, Path]:
    """What runs of `evaluate` and `benchmark` leave in their folders."""
    runs = folder / "evaluate", folder / "benchmark"
    for run in runs:
        (run / "artifacts").mkdir(parents=True)
    row = {"class": "red", "objects": 7, "AP": 0.4321}
    record = {"model": model, "artifact": "model.onnx", "per_class": {"test": [row]}}
    (runs[0] / "artifacts" / "evaluation.json").write_text(json.dumps(record))
    pictures = pictures_record((CardPicture("predictions on test", b"jpeg"),))
    (runs[0] / "artifacts" / "pictures.json").write_text(json.dumps(pictures))
    times = Latency(calls=9, p50=12.5, p90=13.0, p99=14.0, rounds=(12.5,), fastest=12.0)
    form = Row(
        file="model.onnx",
        format="onnx",
        precision="float32",
        runtime="onnxruntime",
        bytes=1,
        end_to_end=times,
    )
    benchmark = BenchmarkRecord(
        created="2026-01-01T00:00:00Z",
        family="detection",
        metric="mAP",
        model=model,
        dataset="d",
        dataset_hash="h",
        split="test",
        pictures=1,
        threads=None,
        device="cpu",
        seconds=1,
        rounds=1,
        hardware=hardware(),
        rows=(form,),
    )
    (runs[1] / "artifacts" / "benchmark.json").write_text(benchmark.model_dump_json())
    return runs


def test_records_of_runs_go_into_the_card(package: Path, tmp_path: Path) -> None:
    evaluation, benchmark = measured(tmp_path / "runs", str(package))
    bare, full = tmp_path / "bare", tmp_path / "full"
    command = ["package", str(package), "--out"]
    assert CliRunner().invoke(main, [*command, str(bare)]).exit_code == 0
    runs = ["--evaluation", str(evaluation), "--benchmark", str(benchmark)]
    result = CliRunner().invoke(main, [*command, str(full), *runs])
    assert result.exit_code == 0, result.output
    without, text = ((folder / "model_card.md").read_text() for folder in (bare, full))
    assert "| red | 7 | 0.4321 |" in text and "12.50 / 13.00 / 14.00" in text
    assert "0.4321" not in without and "12.50" not in without
    assert str(tmp_path) not in text
    assert "data:image/jpeg;base64," in (full / "model_card.html").read_text()
    assert "data:image" not in (bare / "model_card.html").read_text()


def test_records_of_another_model_are_refused(package: Path, tmp_path: Path) -> None:
    evaluation, benchmark = measured(tmp_path / "runs", "another")
    command = ["package", str(package), "--out", str(tmp_path / "out")]
    for option, value, line in (
        ("--evaluation", str(evaluation), "measured model another, not"),
        ("--benchmark", str(benchmark), "the benchmark measured model another, not"),
        ("--benchmark", str(evaluation), "no folder of a run with the artifact 'benchmark'"),
        ("--evaluation", str(tmp_path / "nothing"), "there is no such file or folder"),
    ):
        result = CliRunner().invoke(main, [*command, option, value])
        assert result.exit_code == 1
        assert line in result.output and result.output.count("\n") == 1


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


@pytest.mark.parametrize("words", [["package", "MODEL", "--out"], ["triton", "make", "MODEL"]])
def test_a_place_that_cannot_be_written_is_one_line(
    package: Path, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "out"
    words = [word.replace("MODEL", str(package)) for word in words]
    result = CliRunner().invoke(main, [*words, str(place)])
    assert result.exit_code == 1
    assert f"{place} can't be written: " in result.output and result.output.count("\n") == 1


def test_a_run_without_a_server_is_one_line(package: Path, tmp_path: Path) -> None:
    away = {"HOME": str(tmp_path), "CLEARML_CONFIG_FILE": str(tmp_path / "none.conf")}
    keep = {name: value for name, value in os.environ.items() if not name.startswith("CLEARML")}
    words = ["package", str(package), "--out", str(tmp_path / "out"), "--evaluation", "f" * 32]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *words],
        env={**keep, **away, "SIGHTLINE_HOME": str(tmp_path / "state")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "a task's id needs a server" in done.stderr and done.stderr.count("\n") == 1
