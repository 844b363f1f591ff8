"""`publish` puts what other runs have kept into the model's card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.publish import STAGE
from components.run import LocalRun
from models.benchmark.hardware import hardware
from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.model_card import CardPicture
from models.model_card.evidence import pictures_record


def keep_runs(folder: Path, model: str) -> None:
    """What `evaluate` and `benchmark` leave in a local folder."""
    for name in ("evaluate", "benchmark"):
        (folder / name / "artifacts").mkdir(parents=True)
    result = {"model": model, "artifact": "model.onnx", "metrics": {"test/mAP": 0.25}}
    (folder / "evaluate" / "result.json").write_text(json.dumps(result))
    evaluation = {**result, "per_class": {"test": [{"class": "red", "objects": 7, "AP": 0.4321}]}}
    (folder / "evaluate" / "artifacts" / "evaluation.json").write_text(json.dumps(evaluation))
    pictures = pictures_record((CardPicture("predictions on test", b"jpeg"),))
    (folder / "evaluate" / "artifacts" / "pictures.json").write_text(json.dumps(pictures))
    form = Row(
        file="model.onnx",
        format="onnx",
        precision="float32",
        runtime="onnxruntime",
        bytes=1,
        end_to_end=Latency(calls=9, p50=12.5, p90=13.0, p99=14.0, rounds=(12.5,), fastest=12.0),
    )
    record = BenchmarkRecord(
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
    (folder / "benchmark" / "artifacts" / "benchmark.json").write_text(record.model_dump_json())


def publish(folder: Path, **options: str) -> tuple[str, str]:
    """Run the stage; returns the card as markdown and as HTML."""
    run = LocalRun(folder, "publish", quiet=True)
    run.begin(options)
    STAGE.function(STAGE.configure(options), run)
    artifacts = folder / "publish" / "artifacts"
    names = ("model_card.md", "model_card_page.html")
    text, page = ((artifacts / name).read_text(encoding="utf-8") for name in names)
    return text, page


def test_figures_pictures_and_latencies_go_into_the_card(
    constant_detector: Path, tmp_path: Path
) -> None:
    model = str(constant_detector)
    keep_runs(tmp_path, model)
    text, page = publish(tmp_path, model=model, evaluation="evaluate", benchmark="benchmark")
    assert "| test | model.onnx | all | 0.2500 |" in text
    assert "| red | 7 | 0.4321 |" in text and "12.50 / 13.00 / 14.00" in text
    assert "evaluated by: evaluate" in text and "benchmarked by: benchmark" in text
    assert "data:image/jpeg;base64," in page and "12.50 / 13.00 / 14.00" in page
    without, _ = publish(tmp_path, model=model, evaluation="evaluate")
    assert "12.50" not in without and "0.4321" in without
    bare, page = publish(tmp_path, model=model)
    assert "0.4321" not in bare and "data:image" not in page


def test_a_run_that_kept_no_pictures_still_makes_a_card(
    constant_detector: Path, tmp_path: Path
) -> None:
    keep_runs(tmp_path, str(constant_detector))
    (tmp_path / "evaluate" / "artifacts" / "pictures.json").unlink()
    text, page = publish(tmp_path, model=str(constant_detector), evaluation="evaluate")
    assert "0.4321" in text and "data:image" not in page
    assert "evaluate kept no 'pictures'" in (tmp_path / "publish" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("model", "benchmark", "line"),
    [
        ("another", "benchmark", "the benchmark measured model another, not"),
        ("another", "nothing", "no folder of a run with the artifact 'benchmark'"),
    ],
)
def test_a_benchmark_of_another_model_is_refused(
    constant_detector: Path, model: str, benchmark: str, line: str, tmp_path: Path
) -> None:
    keep_runs(tmp_path, model)
    with pytest.raises(ValueError, match=line):
        publish(tmp_path, model=str(constant_detector), benchmark=benchmark)
    assert not (tmp_path / "models").exists()
