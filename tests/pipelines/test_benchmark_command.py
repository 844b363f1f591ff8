"""`sightline benchmark`."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from models.benchmark import read_record
from models.benchmark.hardware import hardware
from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.package import ModelPackage, zip_package
from pipelines.benchmark_table import show
from pipelines.cli import main

FAST = ("--seconds", "0.1", "--rounds", "1", "--batches", "1,2", "--bfloat16", "never")


def call(*arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["benchmark", *words])


def test_it_prints_a_table_keeps_files_and_writes_figures(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, tmp_path: Path
) -> None:
    package, output = fixed_detector("m"), tmp_path / "out"
    more = ("--threads", 1, "--device", "cpu", "--pictures", 5, "--split", "test")
    done = call(package, fixed_dataset, *FAST, *more, "--output", output, "--write")
    assert done.exit_code == 0, done.output
    assert "model.onnx, onnxruntime" in done.output and "1.0000" in done.output
    assert "pictures a second by batch size" in done.output
    names = {file.name for file in output.iterdir()}
    assert names >= {"benchmark.json", "forms.csv", "throughput.csv", "forms.html"}
    record = read_record(output / "benchmark.json")
    assert (record.threads, record.device, record.pictures) == (1, "cpu", 5)
    assert [one.batch for one in record.rows[0].throughput] == [1, 2]
    (metric, _) = ModelPackage.load(package).card.metrics
    assert (metric.name, metric.artifact, metric.pictures) == ("mAP", "model.onnx", 5)


def test_a_baseline_and_a_zip_and_a_gate(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, tmp_path: Path
) -> None:
    good, bad = fixed_detector("good"), fixed_detector("bad", box=(20, 8, 32, 24))
    packed = zip_package(bad, tmp_path / "bad.zip")
    few = (*FAST[:4], "--batches", "none", "--bfloat16", "never")
    done = call(packed, fixed_dataset, *few, "--baseline", good, "--minimum", 0.9)
    assert done.exit_code == 1
    assert "worse than the baseline: model.onnx, onnxruntime: mAP 0." in done.output
    assert "Error: the model doesn't pass the gate" in done.output
    limits = ("--minimum", 0.9, "--latency", 1e6, "--size", 50)
    passed = call(good, fixed_dataset, *few, *limits, "--runtime", "onnxruntime")
    assert passed.exit_code == 0 and "the gate is passed by every form" in passed.output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--seconds", 0), "--seconds: Input should be greater than 0, got 0.0"),
        (("--rounds", 0), "--rounds: "),
        (("--batches", "1,x"), "--batches: "),
        (("--pictures", -1), "--pictures: "),
        (("--runtime", "tensorflow"), "no runtime 'tensorflow'; there are: torch"),
        (("--split", "val"), "val"),
        (("--baseline", "DATA"), "is no model package: it has no model.json"),
        (("--baseline", "DATA/dataset.json"), "is no benchmark record"),
        (("--output", "DATA"), "is not empty; name a new folder"),
        (("--output", "DATA/dataset.json/out"), "can't be written: Not a directory"),
        (("--minimum", 0.9, "--pictures", 0), "accuracy isn't measured on 0 pictures"),
    ],
)
def test_a_mistake_is_one_line(
    fixed_detector: Callable[..., Path],
    fixed_dataset: Path,
    arguments: tuple[object, ...],
    line: str,
) -> None:
    words = [str(word).replace("DATA", str(fixed_dataset)) for word in arguments]
    done = call(fixed_detector("m"), fixed_dataset, *words)
    assert done.exit_code in (1, 2)
    said = [text for text in done.output.splitlines() if text.startswith("Error: ")]
    assert len(said) == 1 and line in said[0], done.output
    assert "Traceback" not in done.output
    assert "p50" not in done.output, "it is said before anything is measured"


def test_help_loads_nothing_heavy_and_keeps_its_lines() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pipelines.cli import main\n"
        "print(CliRunner().invoke(main, ['benchmark', '--help']).output)\n"
        "print(sorted({'torch', 'numpy', 'onnxruntime', 'openvino', 'plotly', 'cv2'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sightline benchmark new/ prepared/ --baseline old/ --output figures/" in done.stdout
    assert done.stdout.strip().endswith("[]") and "\b" not in done.stdout


@pytest.mark.parametrize(
    ("width", "terminal", "gone", "there"),
    [
        (80, True, ("start s", "p90"), ("mAP", "p50 ms", "network")),
        (200, True, (), ("start s", "spread", "size MB")),
        (80, False, (), ("start s", "spread", "size MB")),
    ],
)
def test_a_narrow_window_goes_without_columns_rather_than_break_figures(
    width: int, terminal: bool, gone: tuple[str, ...], there: tuple[str, ...]
) -> None:
    latency = Latency(calls=9, p50=1234.56, p90=2345.67, p99=3456.78, rounds=(1.0,), fastest=1.0)
    row = Row(
        file="openvino-int8/a-rather-long-name-of-a-model.xml",
        format="openvino",
        precision="int8",
        runtime="openvino",
        device="CPU",
        bytes=10_000_000,
        metrics={"mAP": 0.4321, "mAP50": 0.8765},
        end_to_end=latency,
        network=latency,
        memory_mb=321.4,
    )
    record = BenchmarkRecord(
        created="2026-01-01T00:00:00Z",
        family="detection",
        metric="mAP",
        model="m",
        dataset="d",
        dataset_hash="h",
        split="test",
        pictures=10,
        threads=2,
        device="cpu",
        seconds=1.0,
        rounds=1,
        hardware=hardware(),
        rows=(row,),
    )
    text = io.StringIO()
    show(record, Console(file=text, width=width, force_terminal=terminal, color_system=None))
    table, _, rest = text.getvalue().partition("└")
    assert all(name in table for name in there) and not any(name in table for name in gone)
    assert "0.4321" in table and "1234.56" in table
    hint = rest.partition("a wider window shows more, --output all:")[2].replace("\n", " ")
    assert all(name in hint for name in gone) and bool(hint) == bool(gone)
    if not terminal:
        assert row.label in table
