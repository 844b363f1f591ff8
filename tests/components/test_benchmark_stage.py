"""The benchmark stage in a local folder: its record, its model, its baseline and its gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.failure import GateError
from components.registry import stage
from components.run import LocalRun
from models.package import ModelPackage

FAST = {
    "seconds": "0.1",
    "rounds": "1",
    "batches": "1,2",
    "threads": "1",
    "bfloat16": "never",
    "runtimes": "onnxruntime",
}
FORM = "model.onnx, onnxruntime"


def run_benchmark(folder: Path, **options: Any) -> dict[str, Any]:
    one = stage("benchmark")
    run = LocalRun(folder, "benchmark", quiet=True)
    values = FAST | {key.replace("__", "."): str(value) for key, value in options.items()}
    run.begin(values)
    result: dict[str, Any] = one.function(one.configure(values), run).model_dump(mode="json")
    run.finish(result)
    return result


def test_the_stage_keeps_tables_plots_a_record_and_a_model_with_figures(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, tmp_path: Path
) -> None:
    package = fixed_detector("m")
    result = run_benchmark(tmp_path / "out", model=package, dataset=fixed_dataset)
    assert result["metrics"] == {FORM: pytest.approx(1.0)}
    assert result["latency_ms"][FORM] > 0
    assert (result["metric"], result["regressions"]) == ("mAP", [])
    assert result["gate"] == "no limit was set"
    saved = ModelPackage.load(result["model"])
    assert Path(result["model"]).name == "fixed-benchmarked"
    figures = {(m.name, m.split, m.artifact): m.value for m in saved.card.metrics}
    assert figures["mAP", "test", "model.onnx"] == pytest.approx(1.0)
    assert saved.card.lineage.parents == (str(package),)
    assert "ms" not in saved.card.text().split('"metrics"')[1].split("]")[0]
    home = tmp_path / "out" / "benchmark"
    record = json.loads((home / "artifacts/benchmark.json").read_text())
    assert record["hardware"]["cpu"] and record["rows"][0]["end_to_end"]["calls"] >= 3
    for name in ("benchmark_forms", "benchmark_throughput"):
        lines = (home / f"artifacts/{name}.csv").read_text().splitlines()
        assert len(lines) == (2 if name.endswith("forms") else 3)
    assert len(list((home / "plots").glob("*.html"))) == 2
    assert len(list((home / "tables").glob("*.csv"))) == 2
    values = json.loads((home / "values.json").read_text())
    assert values[f"test/mAP {FORM}"] == pytest.approx(1.0)
    assert values[f"ms a picture, {FORM}"] > 0


def test_each_kind_of_baseline_marks_what_got_worse(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, tmp_path: Path
) -> None:
    good, bad = fixed_detector("good"), fixed_detector("bad", box=(20, 8, 32, 24))
    out = tmp_path / "out"
    run = LocalRun(out, "publish", quiet=True)
    for name, publish in (("fixed", True), ("draft", False)):
        run.save_model(good, name=name, publish=publish)
    run_benchmark(tmp_path / "earlier", model=good, dataset=fixed_dataset)
    earlier = tmp_path / "earlier/benchmark"

    def marked(baseline: Any, **more: Any) -> list[str]:
        options = {"model": bad, "dataset": fixed_dataset, "baseline": baseline, **more}
        result = run_benchmark(out, **options)
        return [line for line in result["regressions"] if "mAP" in line]

    # A task's folder and its file are the same record; a model's name and its folder one model.
    for baseline in ("published", "draft", earlier / "artifacts/benchmark.json"):
        (line,) = marked(baseline)
        assert "the baseline 1.0000" in line, baseline
    log = out / "benchmark/log.txt"
    assert marked("published", name="draft-benchmarked") == []
    assert "no model 'draft' has been published yet" in log.read_text()
    with pytest.raises(GateError, match=r"worse than the baseline: model\.onnx, onnxruntime: mAP"):
        marked("published", gate__regressions=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gate.minimum": 0.5}, None),
        ({"gate.minimum": 0.5, "gate.latency": 1e-6}, "p50 0."),
        ({"gate.latency": 1e6, "gate.percentile": "p99"}, None),
        ({"gate.size": 1e-6}, "MB > 1e-06 MB"),
        ({"gate.minimum": 1.1, "gate.metric": "mAP50"}, "mAP50 1.0000 < 1.1"),
        ({"gate.minimum": 0.5, "gate.need": "all"}, None),
    ],
)
def test_the_gate_ends_the_stage_with_the_figures_after_they_are_kept(
    fixed_detector: Callable[..., Path],
    fixed_dataset: Path,
    tmp_path: Path,
    options: dict[str, Any],
    message: str | None,
) -> None:
    given = {"model": fixed_detector("m"), "dataset": fixed_dataset, "batches": "", **options}
    if message is None:
        assert "the gate is passed" in run_benchmark(tmp_path / "out", **given)["gate"]
        return
    with pytest.raises(GateError) as caught:
        run_benchmark(tmp_path / "out", **given)
    assert message in str(caught.value)
    assert (tmp_path / "out/benchmark/artifacts/benchmark.json").is_file()
    assert not (tmp_path / "out/models").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "val"}, "has no pictures in 'val'"),
        ({"baseline": "nothing"}, "baseline: no model 'nothing'"),
        ({"baseline": "DATA/dataset.json"}, "is no benchmark record that this Sightline reads"),
        ({"baseline": "/nowhere"}, "/nowhere: there is no such file or folder"),
        ({"runtimes": "tensorflow"}, "runtimes: no runtime 'tensorflow'"),
        ({"runtimes": "torch"}, "none of them runs what is there: model.onnx (onnx)"),
        ({"batches": "1,1"}, "batches: expected none twice"),
        ({"rounds": "0"}, "rounds: "),
        ({"gate.minimum": "0.5", "metric_pictures": "0"}, "accuracy isn't measured on 0 pictures"),
    ],
)
def test_a_users_mistake_is_one_line(
    fixed_detector: Callable[..., Path],
    fixed_dataset: Path,
    tmp_path: Path,
    options: dict[str, str],
    message: str,
) -> None:
    given = {k: v.replace("DATA", str(fixed_dataset)) for k, v in options.items()}
    with pytest.raises(ValueError) as caught:
        run_benchmark(
            tmp_path / "out", **{"model": fixed_detector("m"), "dataset": fixed_dataset, **given}
        )
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
