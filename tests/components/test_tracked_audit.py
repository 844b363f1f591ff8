"""The audit as a real ClearML task: its pictures and tables, each once, whatever runs again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from models.families import family
from models.outcomes import Checkpoints
from tests.models.detection.conftest import TINY, Notes, write_shapes

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a hardly trained package and its dataset."""
    found = family("detection")
    sizes = {"train": 6, "val": 4}
    data = write_shapes(tmp_path_factory.mktemp("audited") / "shapes", sizes)
    described = json.loads((data / "dataset.json").read_text())
    (data / "dataset.json").write_text(json.dumps({**described, "pictures": sizes}))
    place = Checkpoints(tmp_path_factory.mktemp("trained"), None, lambda _: None)
    options = found.train_options.model_validate({**TINY, "max_steps": 2})
    return found.train(data, options, place, Notes()).package, data


def audit(stack: Any, *arguments: str, task: str = "") -> None:
    more = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if task:  # what an agent sets
        more |= {"CLEARML_TASK_ID": task, "CLEARML_LOG_TASK_TO_BACKEND": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "components.audit", *arguments],
        env=stack.environment(**more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


def shown(api: Any, task: str) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for kind in ("training_debug_image", "plot"):
        events = api.call("events.get_task_events", task=task, event_type=kind, batch_size=500)
        found.update((kind, one["metric"], one["variant"]) for one in events["events"])
    return found


def test_a_clone_shows_the_same_and_a_second_start_shows_nothing_twice(
    stack: Any, inputs: tuple[Path, Path]
) -> None:
    package, data = inputs
    api = stack.api()
    given = [f"model={package}", f"dataset={data}", "threshold=0.011", "mistakes=3", "suspects=2"]
    audit(stack, *given)
    (task,) = api.call("tasks.get_all", type=["qc"], only_fields=["id", "status"])["tasks"]
    assert task["status"] == "completed"
    first = shown(api, task["id"])
    titles = Counter((kind, metric) for kind, metric, _ in first)
    assert titles["training_debug_image", "mistakes on train"] == 3
    assert titles["training_debug_image", "mistakes on val"] == 3
    assert titles["plot", "train: mistakes"] == titles["plot", "val: mistakes"] == 1
    clone = api.call("tasks.clone", task=task["id"])["id"]
    for _ in range(2):
        audit(stack, task=clone)
        again = shown(api, clone)
        assert again == first and set(again.values()) == {1}
        api.call("tasks.stopped", task=clone, force=True)
        api.call("tasks.started", task=clone, force=True)
