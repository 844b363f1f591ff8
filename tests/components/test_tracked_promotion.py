"""A challenge on a real server: benchmark beside the champion, publish, promote, roll back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.stack, pytest.mark.slow]
FAST = ("seconds=0.1", "rounds=1", "batches=", "threads=1", "bfloat16=never")


def run(stack: Any, *command: str) -> str:
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


def stage(stack: Any, name: str, task: str, *options: str) -> dict[str, Any]:
    run(stack, f"components.{name}", "--project", "Titles", "--name", task, *options)
    found = stack.api().call("tasks.get_all", name=f"^{task}$", order_by=["-created"])["tasks"][0]
    values = found["hyperparams"]["Result"]
    return {key: item["value"] for key, item in values.items()} | {"task": found["id"]}


def model(stack: Any, identity: str) -> dict[str, Any]:
    found = stack.api().call("models.get_by_id", model=identity)["model"]
    return found | {"facts": {one["key"]: one["value"] for one in found["metadata"].values()}}


def test_a_worse_model_is_registered_and_not_promoted(
    stack: Any, fixed_detector: Callable[..., Path], fixed_dataset: Path
) -> None:
    good, bad = fixed_detector("good"), fixed_detector("bad", box=(20, 8, 32, 24))
    given = [f"dataset={fixed_dataset}", "baseline=published", *FAST]

    def measure_and_publish(package: Path, name: str, *more: str) -> dict[str, Any]:
        measured = stage(stack, "benchmark", f"measure {name}", f"model={package}", *given)
        options = (f"model={measured['model']}", f"benchmark={measured['task']}", "name=fixed")
        return stage(stack, "publish", f"publish {name}", *options, *more)

    first = measure_and_publish(good, "first")
    assert (first["promoted"], first["verdict"]) == (
        "true",
        "there is no other champion of this name",
    )
    worse = measure_and_publish(bad, "worse")
    assert worse["promoted"] == "false"
    assert "mAP" in worse["verdict"] and "the baseline 1.0000" in worse["verdict"]
    there = model(stack, worse["model"])
    assert there["ready"] and "champion" not in there["tags"]
    assert there["facts"]["champion why"] == worse["verdict"]
    assert there["facts"]["benchmark"]
    kept = {
        one["key"]: one["uri"]
        for one in stack.api().call("tasks.get_by_id", task=worse["task"])["task"]["execution"][
            "artifacts"
        ]
    }
    assert "challenge" in kept
    # The champion is what a name stands for, though it isn't the newest.
    listed = run(stack, "pipelines.cli", "champions", "--project", "Titles")
    assert first["model"] in listed and worse["model"] not in listed
    third = measure_and_publish(bad, "third", "promotion.rule=always")
    assert third["promoted"] == "true"
    assert "champion" in model(stack, third["model"])["tags"]
    assert "champion" not in model(stack, first["model"])["tags"]
    said = run(
        stack, "pipelines.cli", "rollback", "fixed", "--why", "too blind", "--project", "Titles"
    )
    assert f"{first['model']} is the champion again, in place of {third['model']}" in said
    assert "too blind" in json.dumps(model(stack, third["model"])["facts"])
    said = run(
        stack, "pipelines.cli", "promote", third["model"], "--why", "mended", "--project", "Titles"
    )
    assert f"{third['model']} is the champion, in place of {first['model']}" in said
    # Without a benchmark there is nothing to compare by.
    bare = stage(stack, "publish", "bare", f"model={good}", "name=fixed")
    assert bare["promoted"] == "false"
    assert "no benchmark of the model was given" in bare["verdict"]
