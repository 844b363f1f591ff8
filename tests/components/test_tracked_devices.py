"""`devices=2` as a ClearML task, from a shell and as an agent's: one of the processes speaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.components.test_devices_stage import NETWORK, ROOT
from tests.components.test_devices_stage import dataset as dataset

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def train(stack: Any, *arguments: str, task: str = "") -> str:
    more = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if task:  # what an agent sets
        more |= {"CLEARML_TASK_ID": task, "CLEARML_LOG_TASK_TO_BACKEND": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "components.train", *arguments],
        env=stack.environment(**more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_task_has_each_point_once(stack: Any, dataset: Path) -> None:
    api = stack.api()
    options = {"epochs": 2, "batch_size": 4, "device": "cpu", "devices": 2, "threads": 1}
    given = [f"{name}={value}" for name, value in options.items()]
    given += [f"network.{name}={value}" for name, value in NETWORK.items()]
    said = train(stack, f"dataset={dataset}", "samples.count=0", "name=two", *given)
    assert "on 2 x cpu" in said
    (task,) = api.call("tasks.get_all", name="^train$", only_fields=["id", "status"])["tasks"]
    clone = api.call("tasks.clone", task=task["id"])["id"]
    train(stack, task=clone)
    assert task["status"] == "completed"  # of the clone the agent would say so
    for one in (task["id"], clone):
        events = api.call("events.get_task_events", task=one, event_type="training_stats_scalar")
        points = [
            (event["metric"], event["variant"], event["iter"])
            for event in events["events"]
            if event["metric"] == "loss"
        ]
        assert len(points) == len(set(points)) > 0
        assert {step for _, _, step in points} == {1, 2}
