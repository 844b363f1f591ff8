"""Evaluate, publish and package on a real server: the card holds what other tasks have kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def start(stack: Any, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=stack.environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def task_of(stack: Any, name: str) -> dict[str, Any]:
    fields = ["id", "execution.artifacts", "models.output"]
    tasks = stack.api().call("tasks.get_all", name=f"^{name}$", only_fields=fields)["tasks"]
    (found,) = tasks
    assert isinstance(found, dict)
    return found


def test_records_travel_from_task_to_task(
    stack: Any, fixed_detector: Callable[..., Path], fixed_dataset: Path, tmp_path: Path
) -> None:
    package = fixed_detector("model")
    given = [f"model={package}", f"dataset={fixed_dataset}", 'splits=["test"]']
    start(stack, "components.evaluate", *given, "runtime=onnxruntime")
    evaluation = task_of(stack, "evaluate")["id"]
    start(stack, "components.publish", f"model={package}", f"evaluation={evaluation}", "name=card")
    published = task_of(stack, "publish")
    names = {artifact["key"] for artifact in published["execution"]["artifacts"]}
    assert {"model_card", "model_card_page"} <= names
    model = published["models"]["output"][0]["model"]
    comment = stack.api().call("models.get_by_id", model=model)["model"]["comment"]
    assert "| test | model.onnx | all | 1.0000 |" in comment
    assert f"/projects/*/experiments/{evaluation})" in comment

    out = tmp_path / "out"
    command = ["package", model, "--out", str(out), "--evaluation", evaluation]
    start(stack, "pipelines.cli", *command)
    page = (out / "model_card.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3  # the model errs nowhere
    assert page.count("<svg") == 2
    assert f"evaluated by: {evaluation}" in page
    assert (out / "predict.py").is_file()
