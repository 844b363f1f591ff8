"""Percentiles, peaks, orders and hardware: the parts of a benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import models.benchmark.blocks
from models.benchmark.blocks import timed_calls
from models.benchmark.candidates import Variant, candidates
from models.benchmark.hardware import hardware
from models.benchmark.measuring import order
from models.benchmark.memory import memory_mb, peak_mb, reset_peak
from models.benchmark.record import Latency, Throughput
from models.package.card import Artifact, PackageFile
from models.runtimes.engines import RUNTIMES


def test_percentiles_of_known_samples() -> None:
    found = Latency.of([[0.001 * n for n in range(1, 51)], [0.001 * n for n in range(51, 102)]])
    assert found is not None
    assert (found.p50, found.p90, found.p99) == pytest.approx((51.0, 91.0, 100.0))
    assert found.calls == 101 and found.fastest == pytest.approx(1.0)
    assert found.rounds == pytest.approx((25.5, 76.0))
    assert found.spread == pytest.approx((76.0 - 25.5) / 51.0)
    single = Latency.of([[0.002], []])
    assert single is not None and (single.p50, single.p99, single.rounds) == (2.0, 2.0, (2.0,))
    assert single.spread == 0.0
    assert Latency.of([]) is None and Latency.of([[]]) is None


def test_throughput_is_pictures_by_the_median_call() -> None:
    one = Throughput(batch=8, end_to_end=Latency.of([[0.1, 0.2, 9.0]]))
    assert one.pictures == pytest.approx(40.0) and one.network_pictures is None


@pytest.mark.parametrize(
    ("cost", "seconds", "warm", "timed"),
    [
        (0.01, 1.0, 10, 100),  # a tenth of the time to get warm
        (0.1, 1.0, 3, 10),
        (2.0, 1.0, 1, 3),  # a slow one isn't called for ever
    ],
)
def test_a_block_pauses_warms_up_and_ends(
    monkeypatch: pytest.MonkeyPatch, cost: float, seconds: float, warm: int, timed: int
) -> None:
    now, log = [0.0], []

    def call() -> None:
        log.append("call")
        now[0] += cost * (5 if len(log) == 2 else 1)  # the first one after the pause

    monkeypatch.setattr(
        models.benchmark.blocks.time, "sleep", lambda seconds: log.append(f"pause {seconds}")
    )
    block = timed_calls(call, seconds, lambda: now[0])
    assert log[0].startswith("pause") and log.count("call") == len(log) - 1
    assert len(block.times) == pytest.approx(timed, abs=1)
    assert block.times == pytest.approx([cost] * len(block.times))
    assert log.count("call") - len(block.times) <= warm


def test_peak_memory_is_this_processs_own_and_can_be_forgotten() -> None:
    reset_peak()
    before = peak_mb()
    block = np.ones(200 << 20, np.uint8)
    assert peak_mb() > before + 190
    code = "from models.benchmark.memory import peak_mb; print(peak_mb())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(child.stdout) < 150  # it doesn't inherit ours
    del block
    reset_peak()
    assert peak_mb() < memory_mb() + 50


def artifact(file: str, form: str, precision: str = "float32") -> Artifact:
    entry = PackageFile(file=file, bytes=1, sha256="0" * 64)
    return Artifact(format=form, precision=precision, files=(entry,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runtimes", "variants", "labels"),
    [
        ((), [], ["a.onnx, onnxruntime", "b.onnx, onnxruntime", "c.xml, openvino"]),
        ((), ["bfloat16"], ["a.onnx, onnxruntime", "a.onnx, onnxruntime, bfloat16",
                    "b.onnx, onnxruntime", "c.xml, openvino", "c.xml, openvino, bfloat16"]),
        (("openvino",), ["compiled"], ["c.xml, openvino", "c.xml, openvino, compiled"]),
    ],
)  # fmt: skip
def test_forms_meet_the_runtimes_that_open_them(
    monkeypatch: pytest.MonkeyPatch,
    runtimes: tuple[str, ...],
    variants: list[Variant],
    labels: list[str],
) -> None:
    known = {name: RUNTIMES[name] for name in ("torch", "onnxruntime", "openvino")}
    monkeypatch.setattr("models.benchmark.candidates.RUNTIMES", known)
    forms = [
        artifact("a.onnx", "onnx"),
        artifact("b.onnx", "onnx", "int8"),
        artifact("c.xml", "openvino", "float16"),
    ]
    assert [one.label for one in candidates(forms, runtimes, variants)] == labels


def test_each_round_has_another_order() -> None:
    forms = list("abcdef")
    orders = [order(forms, number, 3) for number in range(3)]  # type: ignore[type-var]
    assert orders[0] == forms and all(sorted(one) == forms for one in orders)
    assert len({tuple(one) for one in orders}) == 3
    assert len({one[0] for one in orders}) == 3


def test_hardware_is_read_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = hardware()
    assert plain.cpu and plain.memory_gb > 0.5 and 0 < plain.usable <= 4096
    assert plain.environment["OMP_NUM_THREADS"] == "7" and plain.gpus == ()
    assert plain.versions["numpy"] == np.__version__
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034 MiB, 570.1'\n")
    tool.chmod(0o755)
    found = hardware()
    assert found.gpus == ("NVIDIA L4, 23034 MiB, 570.1",) and found.has_bfloat16
    tool.write_text("#!/bin/sh\necho 'has failed'\nexit 9\n")
    assert hardware().gpus == ()
    assert plain.differences(found) == ["gpus"]
    newer = plain.model_copy(update={"versions": {}, "load": 9.0})
    assert plain.differences(newer) == []
    assert plain.differences(plain.model_copy(update={"cpu": "other"})) == ["cpu"]
    without = plain.model_copy(update={"flags": ("avx2",), "gpus": ()})
    assert not without.has_bfloat16
    assert without.model_copy(update={"flags": ("amx_bf16",)}).has_bfloat16
