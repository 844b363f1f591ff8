"""The benchmark as a ClearML task: its tables and plots, and baselines that the server knows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.stack


def run_stage(stack: Any, name: str, task: str, *options: str) -> dict[str, Any]:
    """Run a stage as a task and give its result, with the task's id."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            f"components.{name}",
            "--project",
            "Bench",
            "--name",
            task,
            *options,
        ],
        env=stack.environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found = stack.api().call("tasks.get_all", name=f"^{task}$", order_by=["-created"])["tasks"][0]
    values = found["hyperparams"]["Result"]
    return {key: item["value"] for key, item in values.items()} | {"task": found["id"]}


def test_tables_plots_and_baselines_go_through_the_server(
    stack: Any, fixed_detector: Callable[..., Path], fixed_dataset: Path
) -> None:
    good, bad = fixed_detector("good"), fixed_detector("bad", box=(20, 8, 32, 24))
    fast = [f"dataset={fixed_dataset}", "seconds=0.1", "rounds=1", "batches=1,2", "threads=1"]
    fast += ["bfloat16=never"]
    first = run_stage(stack, "benchmark", "first", f"model={good}", "baseline=published", *fast)
    task = stack.api().call("tasks.get_by_id", task=first["task"])["task"]
    artifacts = {one["key"] for one in task["execution"]["artifacts"]}
    assert artifacts >= {"benchmark", "benchmark_forms", "benchmark_throughput", "result"}
    plots = stack.api().call("events.get_task_plots", task=first["task"])["plots"]
    assert {(plot["metric"], plot["variant"]) for plot in plots} >= {
        ("benchmark", "forms"),
        ("benchmark", "throughput"),
        ("benchmark: forms", "accuracy against latency"),
        ("benchmark: throughput", "pictures a second"),
    }
    drawn = next(json.loads(p["plot_str"]) for p in plots if p["metric"] == "benchmark: forms")
    assert drawn["data"][0]["name"] == "model.onnx, onnxruntime"
    model = stack.api().call("models.get_all", id=[first["model"]])["models"][0]
    assert model["name"] == "fixed-benchmarked"
    figure = [one for one in model["metadata"].values() if one["key"] == "test/mAP onnx"]
    assert float(figure[0]["value"]) == pytest.approx(1.0)
    # Nobody had published one yet; now somebody does.
    run_stage(stack, "publish", "publish", f"model={first['model']}", "name=fixed")
    for name, baseline in (("second", "published"), ("third", first["task"])):
        found = run_stage(stack, "benchmark", name, f"model={bad}", f"baseline={baseline}", *fast)
        assert "the baseline 1.0000" in found["regressions"], baseline
