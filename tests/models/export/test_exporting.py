"""Exports are checked against PyTorch, and wrong ones go nowhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models.export.onnx_format
from models.export import ExportError, ExportOptions, ExportReport, ToleranceOptions, export
from models.export.checks import Comparison
from models.export.openvino_format import write_openvino
from models.families import family
from models.package import ModelPackage, NewArtifact
from models.reporting import Silence
from models.runtimes import load_predictor

DETECTION = family("detection")
LOOSE = ToleranceOptions(score=1.0, position=1e6, outside=1.0)


class Listener(Silence):
    """Keeps log lines and tables."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: list[tuple[Sequence[str], Sequence[Sequence[Any]]]] = []

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
        self.tables.append((columns, rows))


def tampered(package: Path, target: Path, tensor: str, change: Callable[[Any], Any]) -> Path:
    """Write a package's ONNX file with one tensor changed."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(package / "model.onnx")
    found = next(one for one in graph.graph.initializer if one.name.endswith(tensor))
    changed = change(numpy_helper.to_array(found)).astype(np.float32)
    found.CopyFrom(numpy_helper.from_array(changed, found.name))
    onnx.save(graph, target)
    return target


def ship(onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this file be what the ONNX exporter writes."""

    def write(package: ModelPackage, file: Path, *_: object) -> str:
        shutil.copyfile(onnx, file)
        return "another tool"

    monkeypatch.setattr(models.export.onnx_format, "write_onnx", write)


def last(package: Path, part: str) -> str:
    """The last tensor whose name has this in it."""
    import onnx

    names = [one.name for one in onnx.load(package / "model.onnx").graph.initializer]
    return max(name for name in names if part in name and name.endswith("bias"))


def test_the_report_says_what_was_measured(report: ExportReport, squares: Path) -> None:
    assert [form.runtime for form in report.forms] == ["torch", "onnxruntime", "openvino"]
    torch, onnx, openvino = report.forms
    assert torch.parity is None
    assert torch.drop == 0
    assert torch.metrics["mAP"] > 0.03
    for form in (onnx, openvino):
        assert form.parity is not None
        assert form.parity.compared > 60
        assert form.parity.outside == 0
        assert 0 < form.parity.difference["score"] < 1e-4
        assert 0 < form.parity.difference["position"] < 0.1
        assert form.metrics["mAP"] == pytest.approx(torch.metrics["mAP"], abs=1e-3)
        assert form.bytes > 1e6
    assert all(form.latency and form.latency.end_to_end > 0 for form in report.forms)
    assert (report.metric, report.split, report.pictures) == ("mAP", "val", 21)
    assert json.loads(json.dumps(report.record()))["forms"][1]["parity"]["outside"] == 0
    columns, rows = report.table()
    assert [len(row) for row in rows] == [len(columns)] * 3


def test_the_new_package_holds_all_forms(report: ExportReport, trained: Path) -> None:
    before, after = ModelPackage.load(trained), ModelPackage.load(report.package)
    assert [artifact.file for artifact in after.card.artifacts] == [
        "weights.safetensors",
        "model.onnx",
        "openvino/model.xml",
    ]
    assert before.card.artifacts[0] == after.card.artifacts[0]
    assert all(a.tool for a in after.card.artifacts)
    kept = {"artifacts", "metrics"}
    assert before.card.model_dump(exclude=kept) == after.card.model_dump(exclude=kept)
    figures = {(one.artifact, one.name): one.value for one in after.card.metrics}
    for form in report.forms[1:]:
        artifact = next(a for a in after.card.artifacts if a.file == form.file)
        assert artifact.parity == form.parity
        assert figures[form.file, "mAP"] == form.metrics["mAP"]
    for metric in before.card.metrics:
        assert metric in after.card.metrics


def test_a_wrong_export_is_refused_with_figures(
    exported: Path,
    trained: Path,
    squares: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = tampered(
        exported, tmp_path / "wrong", last(exported, ".class_embed."), lambda b: b + 0.01
    )
    ship(wrong, monkeypatch)
    room = tmp_path / "room"
    options = ExportOptions(formats=("onnx",), threads=1, latency_calls=0)
    with pytest.raises(ExportError) as caught:
        export(trained, room / "package", squares, options, Silence())
    words = str(caught.value)
    assert words.startswith("model.onnx under onnxruntime is not the model it was made from: ")
    assert "score by 0.002" in words
    assert "(tolerance 0.0001)" in words
    assert "\n" not in words
    assert list(room.iterdir()) == []


def test_a_lost_metric_is_refused_with_figures(
    exported: Path,
    trained: Path,
    squares: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the encoder's proposals are made: with this wrong no query starts at an object.
    wrong = tampered(
        exported, tmp_path / "wrong", last(exported, ".enc_output."), lambda b: b * 0 + 9
    )
    ship(wrong, monkeypatch)
    options = ExportOptions(
        formats=("onnx",), threads=1, latency_calls=0, tolerance=LOOSE, budget=0.001
    )
    with pytest.raises(ExportError) as caught:
        export(trained, tmp_path / "package", squares, options, Silence())
    assert "model.onnx under onnxruntime has mAP 0." in str(caught.value)
    assert "less than PyTorch: more than the budget of 0.001" in str(caught.value)
    assert not (tmp_path / "package").exists()


def test_half_the_bytes_in_float16(exported: Path, squares: Path, tmp_path: Path) -> None:
    package = ModelPackage.load(exported)
    whole = package.path(package.artifact("openvino")).with_suffix(".bin").stat().st_size
    xml = tmp_path / "half" / "model.xml"
    write_openvino(package.card, exported / "model.onnx", xml, "float16")
    assert 0.45 < xml.with_suffix(".bin").stat().st_size / whole < 0.6
    files = {"half/model.xml": xml, "half/model.bin": xml.with_suffix(".bin")}
    package = package.with_artifacts([NewArtifact("openvino", files, "float16")])
    validation = DETECTION.validation(package.card, squares, "val", 6)
    options = ExportOptions()
    with (
        load_predictor(package, "torch", "cpu", 1) as reference,
        load_predictor(package, "openvino", "cpu", 1, precision="float16") as candidate,
    ):
        assert candidate.engine.artifact == "half/model.xml"
        comparison = Comparison(DETECTION, reference, validation, options)
        with pytest.raises(ExportError, match="is not the model it was made from"):
            comparison.parity(candidate, options.tolerance)
        parity = comparison.parity(candidate, options.tolerance_float16)
        assert parity is not None
        assert parity.difference["score"] > 1e-5


def test_a_batch_that_cannot_run_is_refused(exported: Path, squares: Path) -> None:
    """As with a graph in whose middle the batch size is frozen."""
    package = ModelPackage.load(exported)
    validation = DETECTION.validation(package.card, squares, "val", 3)
    with (
        load_predictor(package, "torch", "cpu", 1) as reference,
        load_predictor(package, "onnxruntime", "cpu", 1) as candidate,
    ):
        comparison = Comparison(DETECTION, reference, validation, ExportOptions())
        engine: Any = candidate.engine
        run = engine.__call__

        class Frozen:
            artifact, device = engine.artifact, engine.device

            def __call__(self, inputs: Any) -> Any:
                if len(inputs) != 1:
                    raise RuntimeError("cannot reshape {3,30} to {1,30}")
                return run(inputs)

            def close(self) -> None: ...

        candidate.engine = Frozen()
        with pytest.raises(ExportError, match=r"can't run model\.onnx with a batch of 3: cannot"):
            comparison.parity(candidate, ExportOptions().tolerance)


def test_a_model_that_found_nothing_is_exported_with_a_warning(
    exported: Path,
    trained: Path,
    squares: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fast development run ends with such a model."""
    ship(exported / "model.onnx", monkeypatch)
    listener = Listener()
    options = ExportOptions(
        formats=("openvino",), threads=1, latency_calls=0, metric_pictures=4, floor=1.0
    )
    report = export(trained, tmp_path / "out", squares, options, listener)
    assert any("could not be compared" in line for line in listener.lines)
    assert len(listener.tables) == 1
    assert [form.parity for form in report.forms] == [None, None]
    assert [form.latency for form in report.forms] == [None, None]
    assert not (report.package / "model.onnx").exists()
    assert ModelPackage.load(report.package).card.metrics[-1].pictures == 4


def test_an_occupied_target_is_refused_first(trained: Path, squares: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        export(trained, tmp_path, squares, ExportOptions(), Silence())


def test_a_dataset_of_other_classes_is_refused(
    trained: Path, squares: Path, tmp_path: Path
) -> None:
    shutil.copytree(squares, tmp_path / "data")
    description = json.loads((tmp_path / "data/dataset.json").read_text())
    description["classes"] = ["blue", "red"]
    (tmp_path / "data/dataset.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match="the model knows the classes red, blue, the dataset"):
        export(trained, tmp_path / "out", tmp_path / "data", ExportOptions(), Silence())


@pytest.mark.parametrize(
    "wrong",
    [
        {"formats": ()},
        {"formats": ("onnx", "onnx")},
        {"formats": ("tflite",)},
        {"parity_pictures": 2},
        {"budget": -0.1},
        {"unknown": 1},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ExportOptions.model_validate(wrong)
