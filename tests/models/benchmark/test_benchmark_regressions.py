"""What is marked against a baseline, what a gate lets through, and the record and its tables."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.benchmark import BenchmarkOptions, BenchmarkRecord, GateOptions, Row, read_record
from models.benchmark.gate import judge
from models.benchmark.hardware import hardware
from models.benchmark.plots import accuracy_plot, throughput_plot
from models.benchmark.record import Latency, Throughput
from models.benchmark.regressions import mark_regressions
from models.benchmark.tables import csv_text, forms_table, throughput_table

HARDWARE = hardware()


def latency(*medians: float) -> Latency:
    """Rounds of three calls each, milliseconds."""
    found = Latency.of([[m / 1e3 * f for f in (0.9, 1.0, 1.2)] for m in medians])
    assert found is not None
    return found


def row(metric: float | None = 0.5, ms: tuple[float, ...] = (10, 10, 10), **more: Any) -> Row:
    values: dict[str, Any] = {
        "file": "model.onnx",
        "format": "onnx",
        "precision": "float32",
        "runtime": "onnxruntime",
        "device": "cpu",
        "bytes": 30_000_000,
        "metrics": {} if metric is None else {"mAP": metric, "mAP50": metric + 0.2},
        "end_to_end": latency(*ms) if ms else None,
        "network": latency(*ms) if ms else None,
        "throughput": (
            Throughput(batch=1, end_to_end=latency(10), network=latency(8), memory_mb=100.0),
            Throughput(batch=4, end_to_end=latency(20), network=latency(16), memory_mb=140.0),
            Throughput(batch=8, problem="batch is frozen, to 4"),
        ),
        "memory_mb": 123.4,
        "gpu_memory_mb": 567.8,
        "start_s": (1.0, 3.0, 2.0),
        "load_s": (0.5, 0.6, 0.7),
    }
    return Row(**{**values, **more})


def record(*rows: Row, **more: Any) -> BenchmarkRecord:
    values: dict[str, Any] = {
        **{"created": "2026-01-01T00:00:00+00:00", "family": "detection", "metric": "mAP"},
        **{"model": "m", "dataset": "d", "dataset_hash": "1", "split": "test", "pictures": 100},
        **{"threads": None, "device": "auto", "seconds": 6.0, "rounds": 3, "hardware": HARDWARE},
    }
    return BenchmarkRecord(**{**values, "rows": rows, **more})


RESAMPLES = np.random.default_rng(0).normal(0.0, 0.02, 300)


def drawn(value: float, noise: float) -> tuple[float, ...]:
    """Figures on resamples; `noise` is what two forms don't share."""
    own = np.random.default_rng(int(value * 1e4)).normal(0.0, noise, 300)
    return tuple((value + RESAMPLES + own).tolist())


@pytest.mark.parametrize(
    ("now", "before", "options", "words"),
    [
        (row(0.497), row(0.5), {}, []),  # within the tolerance
        (row(0.48), row(0.5), {},
         ["mAP 0.4800, the baseline 0.5000: 0.0200 less (tolerance 0.005)"]),
        (row(0.48), row(0.5), {"metric_tolerance": 0.03}, []),
        (row(0.52), row(0.5), {}, []),  # a gain
        (row(None), row(0.5), {}, []),
        (row(0.48, resampled=drawn(0.48, 0.002)), row(0.5, resampled=drawn(0.5, 0.002)), {},
         ["mAP 0.4800, the baseline 0.5000: 0.0200 less (95 %: 0.01"]),
        (row(0.48, resampled=drawn(0.48, 0.05)), row(0.5, resampled=drawn(0.5, 0.05)), {}, []),
        (row(0.48, resampled=drawn(0.48, 0.05)), row(0.5, resampled=drawn(0.5, 0.05)),
         {"resamples": 0}, ["(tolerance 0.005)"]),
        (row(ms=(10.5, 10.5, 10.5)), row(), {}, []),
        (row(ms=(13, 13, 13)), row(), {},
         ["end to end 13.00 ms, the baseline 10.00 ms: 30% slower (tolerance 10%)", "network 13"]),
        (row(ms=(13, 13, 13)), row(), {"latency_tolerance": 0.5}, []),
        (row(ms=(13, 9.9, 13)), row(), {}, []),  # a round was no slower: noise
        (row(ms=(13, 13, 13)), row(ms=(10, 14, 10)), {}, []),
        (row(ms=(7, 7, 7)), row(), {}, []),
        (row(None, (), problem="no CUDA"), row(), {},
         ["the baseline's could be measured: no CUDA"]),
        (row(None, (), problem="no CUDA"), row(None, (), problem="no CUDA"), {}, []),
    ],
)  # fmt: skip
def test_losses_beyond_the_noise_are_marked(
    now: Row, before: Row, options: dict[str, Any], words: list[str]
) -> None:
    marked = mark_regressions(record(now), record(before), BenchmarkOptions(**options))
    (found,) = marked.rows
    assert len(found.regressions) == len(words), found.regressions
    for line, part in zip(found.regressions, words, strict=True):
        assert part in line
    assert len(marked.regressions) == len(words)


@pytest.mark.parametrize(
    ("change", "kept", "note"),
    [
        ({}, ["mAP", "end to end", "network"], None),
        ({"dataset_hash": "2"}, [], "accuracy isn't compared"),
        ({"pictures": 50}, ["end to end", "network"], "accuracy isn't compared"),
        ({"threads": 2}, ["mAP"], "latency isn't compared: the baseline was measured with another "
                                  "threads"),
        ({"hardware": HARDWARE.model_copy(update={"cpu": "Z80"})}, ["mAP"], "another cpu"),
    ],
)  # fmt: skip
def test_only_what_can_be_compared_is(
    change: dict[str, Any], kept: list[str], note: str | None
) -> None:
    marked = mark_regressions(
        record(row(0.4, (20, 20, 20))), record(row(), **change), BenchmarkOptions()
    )
    assert [line.split(" 0")[0].split(" 2")[0] for line in marked.rows[0].regressions] == kept
    assert (note is None) == (not marked.notes)
    assert note is None or any(note in line for line in marked.notes)


def test_forms_are_paired_by_file_then_by_precision() -> None:
    before = record(
        row(0.9, file="a.onnx"),
        row(0.8, file="b.onnx"),
        row(0.7, file="old.xml", runtime="openvino", format="openvino"),
    )
    now = record(
        row(0.5, file="b.onnx"),
        row(0.5, file="new.xml", runtime="openvino", format="openvino"),
        row(0.5, file="q.onnx", precision="int8"),
    )
    marked = mark_regressions(now, before, BenchmarkOptions())
    lines = [" ".join(one.regressions) for one in marked.rows]
    assert "baseline 0.8000" in lines[0] and "baseline 0.7000" in lines[1] and lines[2] == ""
    assert marked.notes == ("q.onnx, onnxruntime: the baseline has no such form",)


FAST_AND_ROUGH = row(0.50, (5, 5, 5), file="int8.onnx", precision="int8", bytes=8_000_000)
SLOW_AND_EXACT = row(0.60, (20, 20, 20))
BROKEN = row(None, (), file="x.engine", problem="no GPU")


@pytest.mark.parametrize(
    ("gate", "passed", "words"),
    [
        ({}, True, "no limit was set"),
        ({"minimum": 0.55}, True, "passed by model.onnx, onnxruntime"),
        ({"minimum": 0.65}, False, "no form stands it): model.onnx, onnxruntime: mAP 0.6000 < "
                                   "0.65; int8.onnx, onnxruntime: mAP 0.5000 < 0.65"),
        ({"minimum": 0.65, "metric": "mAP50"}, True, "passed by every form"),
        ({"latency": 10.0}, True, "passed by int8.onnx"),
        ({"latency": 5.5, "percentile": "p99"}, False, "p99 6.00 ms > 5.5 ms"),
        ({"size": 10.0}, True, "passed by int8.onnx"),
        ({"size": 7.0}, False, "30.00 MB > 7 MB"),
        ({"minimum": 0.55, "latency": 10.0}, False,
         "model.onnx, onnxruntime: p50 20.00 ms > 10 ms; int8.onnx, onnxruntime: mAP 0.5000 < "
         "0.55"),
        ({"minimum": 0.45, "need": "all"}, True, "passed by every form"),
        ({"minimum": 0.55, "need": "all"}, False, "every form must stand it): int8.onnx"),
        ({"regressions": True}, True, "nothing is worse"),
    ],
)  # fmt: skip
def test_a_gate_asks_one_form_for_all_limits_at_once(
    gate: dict[str, Any], passed: bool, words: str
) -> None:
    found = judge(GateOptions(**gate), record(SLOW_AND_EXACT, FAST_AND_ROUGH, BROKEN))
    assert found[0] == passed
    assert words in found[1]


def test_a_gate_refuses_regressions_unknown_figures_and_nothing_measured() -> None:
    worse = row(regressions=("mAP 0.1 less",))
    assert judge(GateOptions(regressions=True), record(worse)) == (
        False,
        "worse than the baseline: model.onnx, onnxruntime: mAP 0.1 less",
    )
    assert judge(GateOptions(), record(worse))[0]
    with pytest.raises(ValueError, match="no figure 'map5'; there are: mAP, mAP50"):
        judge(GateOptions(minimum=0.1, metric="map5"), record(worse))
    nothing = "no form of the model could be measured here: x.engine, onnxruntime: no GPU"
    assert judge(GateOptions(), record(BROKEN)) == (False, nothing)
    # The baseline's rows are judged by nobody.
    other = row(0.9, baseline=True)
    assert not judge(GateOptions(minimum=0.8), record(worse, other))[0]


def test_tables_hold_every_figure_as_csv() -> None:
    found = record(row(0.61234, (10, 12, 11)), BROKEN, row(0.5, baseline=True))
    lines = list(csv.DictReader(io.StringIO(csv_text(forms_table(found)))))
    first, broken, other = lines
    assert first["test mAP"] == "0.6123" and first["test mAP50"] == "0.8123"
    assert first["end to end p50 ms"] == "11.0" and first["end to end spread"] == "0.182"
    assert first["end to end calls"] == "9"
    assert (first["best pictures/s"], first["at batch"]) == ("200.0", "4")
    assert (first["memory MB"], first["size MB"]) == ("123.4", "30.0")
    assert first["GPU memory MB"] == "567.8"
    assert (first["start s"], first["load s"]) == ("2.0", "0.6")
    assert broken["problem"] == "no GPU" and broken["test mAP"] == broken["network p99 ms"] == ""
    assert other["baseline"] == "yes"
    batches = list(csv.DictReader(io.StringIO(csv_text(throughput_table(record(row()))))))
    assert [line["batch"] for line in batches] == ["1", "4", "8"]
    assert [line["pictures/s"] for line in batches] == ["100.0", "200.0", ""]
    assert batches[1]["network pictures/s"] == "250.0" and batches[1]["memory MB"] == "140.0"
    assert batches[2]["problem"] == "batch is frozen, to 4"


def test_plots_name_the_files() -> None:
    found = record(row(), BROKEN, row(0.7, (4, 4, 4), file="small.onnx"))
    points = accuracy_plot(found)
    assert [trace.name for trace in points.data] == [
        "model.onnx, onnxruntime",
        "small.onnx, onnxruntime",
    ]
    assert (points.data[1].x, points.data[1].y) == ((4.0,), (0.7,))
    lines = throughput_plot(record(row()))
    assert lines.data[0].x == (1, 4) and lines.data[0].y == pytest.approx((100.0, 200.0))
    assert accuracy_plot(record(BROKEN.model_copy(update={"throughput": ()}))) is None
    assert throughput_plot(record(BROKEN.model_copy(update={"throughput": ()}))) is None


def test_a_record_is_read_back_and_anything_else_refused(tmp_path: Path) -> None:
    found = record(row(resampled=(0.1, None)), BROKEN, notes=("n",))
    file = tmp_path / "benchmark.json"
    file.write_text(found.model_dump_json())
    assert read_record(file) == found
    content = json.loads(file.read_text())
    cases = {
        "{": "as a whole: Invalid JSON",
        "[]": "as a whole: ",
        json.dumps({**content, "version": 2}): "version: ",
        json.dumps({**content, "rows": [{"file": 3}]}): "rows.0.file: ",
        json.dumps({**content, "secret": 1}): "secret: ",
    }
    for text, words in cases.items():
        file.write_text(text)
        with pytest.raises(ValueError) as caught:
            read_record(file)
        assert words in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="there is no such benchmark record"):
        read_record(tmp_path / "none.json")
