"""What comes after training: threshold, figures, audit, forms, results shown and shipped."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.deployment.packing import pack
from models.export import ExportOptions, export
from models.families import family
from models.ocr.audit_options import AuditOptions
from models.ocr.differences import differences
from models.ocr.judging import accepted_of, checksum_gain
from models.ocr.judging_options import EvaluateOptions, TuneOptions
from models.ocr.labels import read_lines
from models.ocr.metrics.figures import line_figures
from models.ocr.predicting import lines_for
from models.ocr.readings import Reading
from models.ocr.result_tensors import result_tensors
from models.outcomes import TrainingOutcome
from models.package import ModelPackage, Threshold
from models.reporting import Silence
from models.runtimes import load_predictor
from tests.models.ocr.conftest import MakeLines
from tests.models.ocr.test_reading_training import Watcher

OCR = family("ocr")


@pytest.fixture(scope="module")
def exported(
    taught: TrainingOutcome, lines: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The reader as ONNX, plain and fused, and OpenVINO."""
    target = tmp_path_factory.mktemp("exported") / "package"
    options = ExportOptions(
        formats=("onnx", "onnx-fused", "openvino"), latency_calls=0, metric_pictures=48, threads=1
    )
    report = export(taught.package, target, lines, options, Silence())
    assert {form.drop for form in report.forms} == {0.0}
    for form in report.forms[1:]:
        assert form.parity is not None
        assert form.parity.outside == 0
        assert form.parity.compared == 2 * 24
    return target


def _reading(text: str, sure: float, **given: Any) -> Reading:
    characters = np.full(len(text), sure, np.float32)
    return Reading(text, sure, characters, 20, 60, **given)


def test_tuning_reaches_the_wanted_precision(taught: TrainingOutcome, lines: Path) -> None:
    watcher = Watcher()
    found = OCR.tune(taught.package, lines, TuneOptions(precision=0.95), watcher)
    assert found.metric == "coverage at precision 0.95"
    assert 0.0 < found.value <= 1.0
    with load_predictor(taught.package) as predictor:
        val = read_lines(lines, "val")
        from models.ocr.dataset import read_line

        read = predictor([read_line(val, i) for i in range(len(val))], found.threshold)
    taken = [(one.text, text) for one, text in zip(read, val.texts, strict=True) if one.accepted]
    assert len(taken) / len(val) == pytest.approx(found.value)
    assert np.mean([one == text for one, text in taken]) >= 0.95
    strict = OCR.tune(taught.package, lines, TuneOptions(precision=1.0), watcher)
    assert strict.threshold >= found.threshold
    assert strict.value <= found.value


def test_evaluation_gives_the_figures_of_the_readings(taught: TrainingOutcome, lines: Path) -> None:
    watcher = Watcher()
    options = EvaluateOptions(samples=4, worst=4)
    found = OCR.evaluate(taught.package, lines, "test", options, watcher)
    from models.ocr.dataset import read_line

    test = read_lines(lines, "test")
    with load_predictor(taught.package) as predictor:
        read = predictor([read_line(test, i) for i in range(len(test))], 0.0)
    expected = line_figures(list(test.texts), [one.text for one in read])
    assert {name: found.values[name] for name in expected} == pytest.approx(expected)
    assert found.values["exact_match"] >= 0.7
    assert {row["class"] for row in found.per_class} >= set("0147")
    assert sum(row["lines"] for row in found.details["by_length"]) == 48
    json.dumps([found.values, found.per_class, found.details])
    assert any(title == "truth and reading on test" for title, *_ in watcher.images)


def test_the_worst_readings_come_first(taught: TrainingOutcome, lines: Path) -> None:
    watcher = Watcher()
    OCR.evaluate(taught.package, lines, "train", EvaluateOptions(splits=("train",)), watcher)
    ranks = [series.split(":")[0] for title, series, *_ in watcher.images if "worst" in title]
    assert ranks == sorted(ranks)


def test_a_wrong_label_is_suspected(
    taught: TrainingOutcome, make_lines: MakeLines, tmp_path: Path
) -> None:
    dataset = make_lines(tmp_path / "set", {"train": ["0147", "7410", "1444"]})
    file = dataset / "train" / "labels.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[1]["text"] = "0000"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = OCR.audit(taught.package, dataset, "train", AuditOptions(), Silence())
    assert found.pictures == 3
    assert found.suspects[0]["picture"] == rows[1]["file"]
    assert found.suspects[0]["label"] == "0000"
    assert found.suspects[0]["quality"] < 0.01
    assert found.mistakes[0]["kind"] == "other characters"


def test_forms_read_the_same(exported: Path, lines: Path) -> None:
    from models.ocr.dataset import read_line

    val = read_lines(lines, "val")
    images = [read_line(val, index) for index in range(7)]
    with load_predictor(exported, "torch", batch_size=3) as torch:
        expected = torch(images)
    for runtime in ("onnxruntime", "onnxruntime-fused", "openvino"):
        with load_predictor(exported, runtime, batch_size=3) as other:
            apart = differences(expected, other(images), 0.0)
            assert len(apart["score"]) == 7
            assert apart["score"].max() < 1e-3


@pytest.mark.parametrize(
    "given", [{"method": "beam"}, {"symbology": "ean13"}], ids=["beam", "checksum"]
)
def test_what_cannot_be_fused_is_refused(given: dict[str, str], taught: TrainingOutcome) -> None:
    card = ModelPackage.load(taught.package).card
    card = card.model_copy(update={"postprocessing": {**card.postprocessing, **given}})
    with pytest.raises(ValueError, match="onnx-fused has greedy decoding alone inside"):
        OCR.fused(card)


def test_a_threshold_marks_and_removes_nothing(taught: TrainingOutcome, lines: Path) -> None:
    from models.ocr.dataset import read_line

    val = read_lines(lines, "val")
    images = [read_line(val, index) for index in range(4)]
    with load_predictor(taught.package) as predictor:
        low, high = predictor(images, 0.0), predictor(images, 1.0)
        assert predictor([]) == []
    assert [one.text for one in low] == [one.text for one in high]
    assert all(one.accepted for one in low)
    assert not any(one.accepted for one in high)


def test_a_blank_picture_is_an_empty_or_unsure_reading(taught: TrainingOutcome) -> None:
    with load_predictor(taught.package) as predictor:
        (found,) = predictor([np.full((20, 60, 3), 230, np.uint8)], 0.0)
    presenter = OCR.presenter(ModelPackage.load(taught.package).card)
    assert len(found.characters) == len(found.text)
    drawn = presenter.draw(np.full((20, 60, 3), 230, np.uint8), found)
    assert drawn.shape[1] == 60
    empty = _reading("", 0.9, accepted=False)
    assert presenter.regions(empty) == []
    assert presenter.coco(empty) == []
    (row,) = presenter.rows(empty)
    assert row["text"] == ""
    assert tuple(row) == tuple(presenter.columns)


def test_results_as_tensors() -> None:
    found = result_tensors([_reading("01", 0.5), _reading("", 0.1, accepted=False)])
    assert found["count"].tolist() == [1, 1]
    assert found["texts"].tolist() == ["01", ""]
    assert found["accepted"].tolist() == [True, False]
    assert found["lengths"].tolist() == [2, 0]
    assert found["character_scores"].tolist() == [0.5, 0.5]
    assert result_tensors([])["texts"].tolist() == []


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (_reading("12", 0.9), _reading("12", 0.8), [0.1]),
        (_reading("12", 0.9), _reading("13", 0.9), [np.inf]),
        (_reading("12", 0.01), _reading("13", 0.02), []),
        (_reading("", 0.9), _reading("", 0.9), [0.0]),
    ],
)
def test_differences(one: Reading, other: Reading, apart: list[float]) -> None:
    found = differences([one], [other], 0.05)["score"]
    assert found.tolist() == pytest.approx(apart)


def test_the_gain_of_a_checksum_is_reported() -> None:
    truths = ["96385074", "96385074"]
    plain = [_reading("96385074", 0.9), _reading("96385079", 0.4)]
    checked = [
        _reading("96385074", 0.9, check="valid"),
        _reading("96385074", 0.95, check="corrected"),
    ]
    rows = checksum_gain(truths, {"none": plain, "ean8": checked}, 0.5)  # type: ignore[dict-item]
    assert [row["checksum"] for row in rows] == ["without", "ean8"]
    assert [row["exact_match"] for row in rows] == [0.5, 1.0]
    assert [row["coverage"] for row in rows] == [0.5, 1.0]
    assert rows[1]["corrected"] == rows[1]["corrected rightly"] == 1
    right, _ = accepted_of(["1"], [_reading("1", 0.9, check="unsure")])  # type: ignore[list-item]
    assert len(right) == 0


@pytest.mark.parametrize(
    ("own", "compare", "ways"),
    [
        ("none", "auto", None),
        ("none", "ean8", ["without", "ean8"]),
        ("ean13", "auto", ["without", "ean13"]),
        ("ean13", "ean8", ["without", "ean13", "ean8"]),
        ("ean13", "none", None),
    ],
)
def test_a_readers_own_checksum_is_compared_with_none(
    taught: TrainingOutcome,
    lines: Path,
    tmp_path: Path,
    own: str,
    compare: str,
    ways: list[str] | None,
) -> None:
    package = ModelPackage.load(taught.package).with_postprocessing({"symbology": own})
    saved = package.save(tmp_path / "package").folder
    options = EvaluateOptions(samples=0, worst=0, compare=compare)  # type: ignore[arg-type]
    found = OCR.evaluate(saved, lines, "test", options, Silence())
    rows = found.details.get("checksum")
    assert (rows and [row["checksum"] for row in rows]) == ways
    if rows and own != "none":
        assert rows[1]["exact_match"] == pytest.approx(found.values["exact_match"], abs=1e-6)
        assert rows[0]["unsure"] == 0 < rows[1]["unsure"]


def test_unknown_characters_are_named(
    taught: TrainingOutcome, make_lines: MakeLines, tmp_path: Path
) -> None:
    dataset = make_lines(tmp_path / "set", {"val": ["01x"], "train": []})
    card = ModelPackage.load(taught.package).card
    with pytest.raises(ValueError, match="have the characters x, which the model doesn't know"):
        lines_for(card, dataset, "val")
    with pytest.raises(ValueError, match=r"the split 'train' of .* has no lines"):
        lines_for(card, dataset, "train")


def test_a_broken_description_is_told(taught: TrainingOutcome) -> None:
    card = ModelPackage.load(taught.package).card
    for change, message in (
        ({"kind": "attention"}, "postprocessing.kind"),
        ({"blank": 0}, "postprocessing.blank: expected 4"),
        ({"symbology": "qr"}, "postprocessing.symbology"),
    ):
        broken = card.model_copy(update={"postprocessing": {**card.postprocessing, **change}})
        with pytest.raises(ValueError, match=message):
            OCR.postprocessor(broken)


def test_the_shipped_reader_reads_alone(exported: Path, lines: Path, tmp_path: Path) -> None:
    from models.ocr.dataset import read_line

    package = ModelPackage.load(exported).with_threshold(Threshold(value=0.1))
    package = package.save(tmp_path / "package")
    made = pack(package, tmp_path / "reader.zip", runtime="onnxruntime")
    with zipfile.ZipFile(made.path) as zipped:
        zipped.extractall(tmp_path / "out")
    folder = tmp_path / "out" / made.name
    val = read_lines(lines, "val")
    files = [str(val.folder / val.files[index]) for index in range(3)]
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", *files, "--json", "found.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with load_predictor(exported, "onnxruntime") as predictor:
        expected = [one.text for one in predictor([read_line(val, index) for index in range(3)])]
    told = (folder / "found.json").read_text()
    assert all(f'"text": "{text}"' in told for text in expected)
