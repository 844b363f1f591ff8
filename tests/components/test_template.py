"""Templates, and their clones on a real agent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from components.failure import Failure, failure_kind

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.stack

MAKE = """
import dataclasses, json
from components.code import read_code_state
from components.registry import stage
from components.run.api import server_url
from components.template import template
code = read_code_state(server_url())
other = dataclasses.replace(code, diff=code.diff + "x")
made = [template(stage("ingest"), c, p) for c, p in (
    (code, "Templates"), (code, "Templates"), (other, "Templates"), (code, "Elsewhere"))]
print(json.dumps(made))
"""


@pytest.fixture(scope="module")
def templates(stack: Any) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", MAKE],
        env=stack.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.strip().split("\n")[-1])
    return found


def test_there_is_one_for_each_code_state_and_project(templates: list[str]) -> None:
    assert templates[0] == templates[1]
    assert len(set(templates)) == 3


def test_it_is_a_hidden_draft_with_every_option_and_no_argument(
    stack: Any, templates: list[str]
) -> None:
    task = stack.api().call("tasks.get_by_id", task=templates[0])["task"]
    assert (task["status"], task["type"]) == ("created", "data_processing")
    assert task["script"]["entry_point"] == "-m components.ingest"
    assert task["script"]["repository"] == ROOT.as_uri()
    arguments = {n: i["value"] for n, i in task["hyperparams"]["Args"].items()}
    assert arguments["data.source"] == "synthetic" and arguments["synthetic.seed"] == "42"
    project = stack.api().call("projects.get_by_id", project=task["project"])["project"]
    assert project["name"] == "Templates/.templates" and "hidden" in project["system_tags"]


def coco_folder(folder: Path) -> Path:
    for split in ("train", "val", "test"):
        (folder / split / "data").mkdir(parents=True)
        picture = np.full((48, 64, 3), 120, np.uint8)
        cv2.imwrite(str(folder / split / "data" / f"{split}.jpg"), picture)
        labels = {
            "images": [{"id": 1, "file_name": f"{split}.jpg", "width": 64, "height": 48}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 4, 20, 20]}],
            "categories": [{"id": 1, "name": "thing"}],
        }
        (folder / split / "labels.json").write_text(json.dumps(labels))
    folder.chmod(0o755)
    return folder


def clone(stack: Any, template: str, **values: str) -> str:
    task: str = stack.api().call("tasks.clone", task=template, new_task_name="step")["id"]
    items = [{"section": "Args", "name": name, "value": v} for name, v in values.items()]
    stack.api().call("tasks.edit_hyper_params", task=task, hyperparams=items)
    stack.api().call("tasks.enqueue", task=task, queue_name="cpu")
    return task


def ended(stack: Any, task: str) -> dict[str, Any]:
    for _ in range(240):
        found: dict[str, Any] = stack.api().call("tasks.get_by_id", task=task)["task"]
        if found["status"] not in ("queued", "in_progress"):
            return found
        time.sleep(0.5)
    raise AssertionError(f"still {found['status']}")


def test_a_clone_runs_on_an_agent_with_its_own_options(
    stack: Any, templates: list[str], tmp_path: Path
) -> None:
    source = coco_folder(tmp_path / "things")
    good = clone(stack, templates[0], **{"data.source": str(source), "dataset.name": "things"})
    bad = clone(stack, templates[0], **{"data.source": str(tmp_path / "nothing")})
    task = ended(stack, good)
    assert task["status"] == "completed", task["status_message"]
    result = {n: i["value"] for n, i in task["hyperparams"]["Result"].items()}
    assert (result["name"], result["version"], result["format"]) == ("things", "1.0.0", "coco")
    assert not [tag for tag in task["tags"] if tag.startswith("template")]
    dataset = stack.api().call("tasks.get_by_id", task=result["dataset"])["task"]
    assert dataset["status"] == "completed" and dataset["parent"] == good
    task = ended(stack, bad)
    assert task["status"] == "failed"
    assert failure_kind(task["runtime"], task["status_reason"]) is Failure.USER
    assert "nothing" in task["runtime"]["sightline_failure_message"]
