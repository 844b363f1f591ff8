"""Forms measured for real, each in processes of its own; and forms that can't be."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openvino
import psutil
import pytest

from models.benchmark import BenchmarkOptions, BenchmarkRecord
from models.benchmark.figures import with_figures
from models.benchmark.hardware import hardware
from models.benchmark.measuring import _candidates, benchmark
from models.package import ModelPackage, NewArtifact
from models.reporting import Silence
from models.runtimes.engines import RUNTIMES, RuntimeEntry
from models.runtimes.openvino_engine import computes_bfloat16

FAST: dict[str, Any] = {
    "seconds": 0.1,
    "rounds": 1,
    "batches": (1, 2),
    "threads": 1,
    "device": "cpu",
    "bfloat16": "never",
}


class Listener(Silence):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, description: str, done: int, total: int) -> None:
        self.steps.append((description, done, total))


def measure(package: Path, dataset: Path, listener: Any = None, **more: Any) -> BenchmarkRecord:
    options = BenchmarkOptions(**{**FAST, **more})
    return benchmark(package, dataset, options, listener or Silence())


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a module in front of the real one, for the workers."""
    folder = tmp_path / "in front"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def write(name: str, code: str) -> None:
        (folder / f"{name}.py").write_text(textwrap.dedent(code))

    return write


def test_every_form_is_a_row_with_all_its_figures(exported: Path, squares: Path) -> None:
    record = measure(exported, squares, split="val", metric_pictures=6, batches=(1, 3))
    assert {(row.file, row.runtime) for row in record.rows} >= {
        ("weights.safetensors", "torch"),
        ("model.onnx", "onnxruntime"),
        ("openvino/model.xml", "openvino"),
    }
    sizes = {a.file: a.bytes for a in ModelPackage.load(exported).card.artifacts}
    for row in record.rows:
        assert not row.problem, row.problem
        assert row.bytes == sizes[row.file]
        assert row.end_to_end is not None and row.network is not None
        assert row.end_to_end.calls >= 3 and row.device.lower() == "cpu"
        assert 0 < row.network.p50 <= row.network.p90 <= row.network.p99
        assert [one.batch for one in row.throughput] == [1, 3]
        assert all(one.pictures and one.network_pictures for one in row.throughput)
        assert row.memory_mb is not None and row.base_memory_mb is not None
        assert row.memory_mb > row.base_memory_mb > 10
        assert row.start is not None and row.load is not None and row.start > row.load > 0
        assert next(iter(row.metrics)) == "mAP"
    values = [row.metrics["mAP"] for row in record.rows]
    assert 0 < max(values) < min(values) + 1e-3
    # The process that runs ONNX holds no torch.
    memory = {row.runtime: row.memory_mb or 0 for row in record.rows}
    assert memory["onnxruntime"] < 0.7 * memory["torch"]
    assert record.hardware.versions["python"] and record.pictures == 6


def test_bfloat16_is_a_row_of_its_own_where_the_runtime_computes_in_it(
    exported: Path, squares: Path
) -> None:
    listener = Listener()
    record = measure(
        exported,
        squares,
        listener,
        **{"split": "val", "metric_pictures": 21, "batches": (), "bfloat16": "always"},
        runtimes=("onnxruntime", "openvino"),
    )
    computes = computes_bfloat16(openvino.Core())
    assert [(row.runtime, row.variant) for row in record.rows] == [
        ("onnxruntime", ""),
        ("openvino", ""),
        *([("openvino", "bfloat16")] if computes else []),
    ]
    left_out = [line.partition(",")[0] for line in listener.lines if "is left out" in line]
    assert left_out == ["model.onnx", *([] if computes else ["openvino/model.xml"])]
    exact = record.rows[1]
    package = with_figures(ModelPackage.load(exported), record)
    written = {m.artifact: m.value for m in package.card.metrics if m.name == "mAP"}
    assert written["openvino/model.xml"] == exact.metrics["mAP"]
    if computes:
        assert record.rows[2].metrics["mAP"] != exact.metrics["mAP"]


def test_each_row_is_about_its_very_file(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, tmp_path: Path
) -> None:
    """Two files of one format and precision: the runtime alone would open the first."""
    right, wrong = fixed_detector("right"), fixed_detector("wrong", box=(0, 0, 20, 20))
    both = ModelPackage.load(right).with_artifacts(
        [
            NewArtifact("onnx", {"other.onnx": wrong / "model.onnx"}),
            NewArtifact("onnx", {"broken.onnx": fixed_dataset / "dataset.json"}),
        ]
    )
    record = measure(both.save(tmp_path / "both").folder, fixed_dataset)
    rows = {row.file: row for row in record.rows}
    assert rows["model.onnx"].metrics["mAP"] == pytest.approx(1.0)
    assert rows["other.onnx"].metrics["mAP"] == 0.0
    assert "broken.onnx is no " in rows["broken.onnx"].problem
    assert rows["broken.onnx"].end_to_end is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            """
            print("noise on standard output")
            raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
            """,
            "the runtime onnxruntime needs onnxruntime, which is not installed here: pip install",
        ),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL (out of memory?)"),
        ("import os; os.abort()", "was killed by SIGABRT"),
        ("import os, sys; print('last words', file=sys.stderr); os._exit(3)",
         "exit code 3: last words"),
        ("raise OSError('libfoo.so: cannot open')", "OSError: libfoo.so: cannot open"),
        ("raise MemoryError", "MemoryError"),
        ("import time; time.sleep(600)", "gave no sign of life for 4 s and was ended"),
    ],
)  # fmt: skip
def test_a_form_that_cannot_run_is_a_row_that_says_why(
    fixed_detector: Callable[..., Path],
    fixed_dataset: Path,
    library: Callable[[str, str], None],
    code: str,
    words: str,
) -> None:
    library("onnxruntime", code)
    listener = Listener()
    more = {"patience": 4} if "sleep" in code else {}
    record = measure(
        fixed_detector("m"), fixed_dataset, listener, rounds=3, bfloat16="always", **more
    )
    (row,) = record.rows
    assert words in row.problem and "\n" not in row.problem
    assert row.end_to_end is None and row.metrics == {} and row.start_s == ()
    # It isn't tried again, nor in bfloat16, and the bar comes to its end.
    assert sum(words in line for line in listener.lines) == 1
    assert listener.steps[-1][1:] == (6, 6)


def test_what_was_measured_before_a_death_is_kept(
    fixed_detector: Callable[..., Path], fixed_dataset: Path
) -> None:
    class Killer(Listener):
        def progress(self, description: str, done: int, total: int) -> None:
            if description.startswith("accuracy"):
                for child in psutil.Process().children():
                    child.kill()

    # So many draws that it is still at work when the signal comes.
    record = measure(
        fixed_detector("m"), fixed_dataset, Killer(), batches=(1,), resamples=1_000_000
    )
    (row,) = record.rows
    assert "was killed by SIGKILL (out of memory?)" in row.problem
    assert row.metrics == {} and row.start is not None
    assert row.end_to_end is not None and row.throughput[0].pictures


def test_what_a_form_takes_on_the_gpu_is_told(
    fixed_detector: Callable[..., Path],
    fixed_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The driver's tool says 100 MiB before and 350 after; the second GPU stays as it is."""
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "nvidia-smi"
    tool.write_text(
        f"""#!/bin/sh
        case "$1" in *memory.used*) ;; *) echo "GPU"; exit 0;; esac
        if [ -e {tmp_path}/asked ]; then echo 350; else echo 100; fi
        echo 20
        touch {tmp_path}/asked
        """
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    record = measure(fixed_detector("m"), fixed_dataset, metric_pictures=0, batches=())
    assert record.rows[0].gpu_memory_mb == pytest.approx(250 * 2**20 / 1e6)
    assert record.hardware.gpus == ("GPU",)


def test_bfloat16_is_tried_where_there_are_instructions_for_it(
    exported: Path,
) -> None:
    def variants(flags: tuple[str, ...], wanted: str) -> set[str]:
        machine = hardware().model_copy(update={"flags": flags, "gpus": ()})
        options = BenchmarkOptions(bfloat16=wanted)  # type: ignore[arg-type]
        package = ModelPackage.load(exported)
        found = _candidates(package, options, machine, baseline=False)
        return {one.candidate.variant for one in found}

    both = {"", "bfloat16"}
    assert variants(("avx2",), "auto") == {""}
    assert variants(("avx512_bf16",), "auto") == both
    assert variants(("avx2",), "always") == both
    assert variants(("amx_bf16",), "never") == {""}


def test_a_batch_that_a_form_cannot_take_is_said_and_the_rest_measured(
    fixed_detector: Callable[..., Path], fixed_dataset: Path
) -> None:
    record = measure(fixed_detector("m", batch=1), fixed_dataset, batches=(1, 2), rounds=2)
    (row,) = record.rows
    one, two = row.throughput
    assert one.pictures and not one.problem
    assert two.pictures is None and "Expected: 1" in two.problem
    assert row.metrics["mAP"] == pytest.approx(1.0) and not row.problem


def test_options_have_an_effect(fixed_detector: Callable[..., Path], fixed_dataset: Path) -> None:
    package = fixed_detector("m")
    listener = Listener()
    few = measure(
        package, fixed_dataset, listener, rounds=3, batches=(), metric_pictures=0, seconds=0.03
    )
    (row,) = few.rows
    assert row.throughput == () and row.metrics == {} and few.pictures == 0
    assert row.end_to_end is not None and len(row.end_to_end.rounds) == 3
    assert len(row.start_s) == len(row.load_s) == 3
    assert listener.steps == [("measuring forms", n, 3) for n in range(4)]
    long = measure(package, fixed_dataset, seconds=1.2, batches=(), metric_pictures=3)
    assert long.rows[0].end_to_end is not None
    assert long.rows[0].end_to_end.calls > 2 * row.end_to_end.calls
    assert (long.pictures, long.threads, long.device) == (3, 1, "cpu")
    with pytest.raises(ValueError, match="no runtime 'tensorflow'; there are: torch"):
        measure(package, fixed_dataset, runtimes=("tensorflow",))
    with pytest.raises(ValueError, match=r"runtimes=torch: none of them runs .* model\.onnx"):
        measure(package, fixed_dataset, runtimes=("torch",))
    with pytest.raises(ValueError, match="val"):
        measure(package, fixed_dataset, split="val")
    wrong = measure(package, fixed_dataset, device="abacus")
    assert "device=abacus" in wrong.rows[0].problem
    assert not wrong.notes or "other work" in wrong.notes[0]


def test_a_runtime_that_comes_later_is_found(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = fixed_detector("m")
    later = {"later": RuntimeEntry("models.later:Engine", "onnx")}
    table = "models.benchmark.candidates.RUNTIMES"
    monkeypatch.setattr(table, {"onnxruntime": RUNTIMES["onnxruntime"], **later})
    record = measure(package, fixed_dataset, metric_pictures=0, batches=())
    assert [row.runtime for row in record.rows] == ["onnxruntime", "later"]
    # The workers' own table doesn't know it, which is said like anything else.
    assert "no runtime 'later'" in record.rows[1].problem
    monkeypatch.setattr(table, {"openvino": RUNTIMES["openvino"]})
    record = measure(package, fixed_dataset, metric_pictures=0, batches=())
    assert record.rows[0].problem == "no runtime opens the format onnx"


def test_a_baseline_is_measured_beside_and_losses_are_marked(
    fixed_detector: Callable[..., Path], fixed_dataset: Path
) -> None:
    good, bad = fixed_detector("good"), fixed_detector("bad", box=(20, 8, 32, 24))
    options = BenchmarkOptions(**FAST)
    record = benchmark(bad, fixed_dataset, options, Silence(), baseline=good)
    assert [row.baseline for row in record.rows] == [False, True]
    (line,) = [line for line in record.regressions if "mAP" in line]
    assert "the baseline 1.0000" in line and line.startswith("model.onnx, onnxruntime: mAP 0.")
    # The same as a record: the same pictures and hardware.
    earlier = benchmark(good, fixed_dataset, options, Silence())
    later = benchmark(bad, fixed_dataset, options, Silence(), baseline=earlier)
    assert any("mAP" in line for line in later.regressions)
    assert len(later.own) == len(later.rows) == 1
    tolerant = BenchmarkOptions(**FAST, metric_tolerance=0.9)
    record = benchmark(bad, fixed_dataset, tolerant, Silence(), baseline=good)
    assert not [line for line in record.regressions if "mAP" in line]


def test_another_tasks_model_is_no_baseline(
    fixed_detector: Callable[..., Path], fixed_dataset: Path, exported: Path
) -> None:
    with pytest.raises(ValueError, match=r"baseline: .* red, blue.* can't be compared"):
        benchmark(
            fixed_detector("m"), fixed_dataset, BenchmarkOptions(), Silence(), baseline=exported
        )


def test_what_a_worker_has_started_ends_with_it(
    fixed_detector: Callable[..., Path],
    fixed_dataset: Path,
    library: Callable[[str, str], None],
    tmp_path: Path,
) -> None:
    code = f"""
        import pathlib, subprocess, time
        child = subprocess.Popen(["sleep", "600"])
        pathlib.Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
        time.sleep(600)
        """
    library("onnxruntime", code)
    record = measure(fixed_detector("m"), fixed_dataset, patience=4)
    assert "gave no sign of life" in record.rows[0].problem
    child = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


def test_the_modes_of_runtimes_are_rows_of_their_own(exported: Path, squares: Path) -> None:
    listener = Listener()
    record = measure(
        exported,
        squares,
        listener,
        **{"split": "val", "metric_pictures": 21, "batches": (4,), "throughput": True},
        runtimes=("onnxruntime", "openvino"),
    )
    forms = [(row.runtime, row.variant) for row in record.rows]
    assert ("openvino", "throughput") in forms and ("onnxruntime", "throughput") not in forms
    rows = {row.variant: row for row in record.rows if row.file == "openvino/model.xml"}
    assert rows["throughput"].throughput[0].pictures
    assert rows["throughput"].metrics["mAP"] == pytest.approx(rows[""].metrics["mAP"], abs=1e-3)
    assert any("throughput is left out" in line for line in listener.lines)


@pytest.mark.slow
def test_what_pytorch_compiles_is_a_row_too(exported: Path, squares: Path) -> None:
    """Minutes on a busy machine."""
    record = measure(
        exported,
        squares,
        **{"split": "val", "metric_pictures": 0, "batches": (), "compiled": True},
        runtimes=("torch",),
        patience=1800,
    )
    assert [row.variant for row in record.rows] == ["", "compiled"]
    assert record.rows[1].end_to_end is not None, record.rows[1].problem
    assert (record.rows[1].load or 0) > (record.rows[0].load or 0)


def test_no_worker_is_left_behind(fixed_detector: Callable[..., Path], fixed_dataset: Path) -> None:
    class Stop(Listener):
        def progress(self, description: str, done: int, total: int) -> None:
            if description.startswith("accuracy"):
                raise KeyboardInterrupt

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(KeyboardInterrupt):
        measure(fixed_detector("m"), fixed_dataset, Stop())
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert os.getpid() not in before
