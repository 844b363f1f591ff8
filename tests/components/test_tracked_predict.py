"""The stage `predict` as a real ClearML task over a real dataset."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.models.prediction.conftest import write_video

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SAVE = """
import sys
from clearml import Dataset
made = Dataset.create(dataset_project="Sightline", dataset_name="photos", dataset_version="1.0.0")
made.add_files(sys.argv[1])
made.upload(show_progress=False)
made.finalize()
print("DATASET", made.id)
"""
READ = """
import sys
from clearml import Dataset
print("FOLDER", Dataset.get(dataset_id=sys.argv[1]).get_local_copy())
"""


def python(stack: Any, *arguments: str, task: str = "") -> str:
    more = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if task:  # what an agent sets
        more |= {"CLEARML_TASK_ID": task, "CLEARML_LOG_TASK_TO_BACKEND": "0"}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=stack.environment(**more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_results_are_a_dataset_with_samples_and_a_second_start_makes_no_other(
    stack: Any, untrained_package: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    for name in ("a.png", "sub/b.png"):
        cv2.imwrite(str(data / name), pixels)
    write_video(data / "clip.avi", 2)
    (data / "broken.jpg").write_text("no picture")
    made = python(stack, "-c", SAVE, str(data)).split("DATASET ")[1].split()[0]
    given = [f"model={untrained_package}", f"dataset={made}", "runtime=torch", "device=cpu"]
    given += ["threads=1", "previews=3", "save=pictures,videos,coco,csv"]
    python(stack, "-m", "components.predict", *given)
    api = stack.api()
    (task,) = api.call("tasks.get_all", type=["inference"], only_fields=["id", "status"])["tasks"]
    assert task["status"] == "completed"

    def samples() -> list[str]:
        kind = {"event_type": "training_debug_image", "batch_size": 100}
        events = api.call("events.get_task_events", task=task["id"], **kind)["events"]
        return sorted(one["variant"] for one in events if one["metric"] == "predictions")

    def results() -> list[dict[str, Any]]:
        wanted = {"system_tags": ["dataset"], "tags": ["predictions"], "search_hidden": True}
        found = api.call("tasks.get_all", **wanted, only_fields=["id", "name"])["tasks"]
        return list(found)

    first = samples()
    assert first == ["a", "clip/frame_000001", "clip/frame_000002"]
    (saved,) = results()
    assert "photos-predictions" in saved["name"]
    folder = Path(python(stack, "-c", READ, saved["id"]).split("FOLDER ")[1].split()[0])
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert names == {
        *("pictures/a.jpg", "pictures/sub/b.jpg", "videos/clip.mp4"),
        *("coco.json", "predictions.csv"),
    }
    assert len(json.loads((folder / "coco.json").read_text())["images"]) == 4
    api.call("tasks.stopped", task=task["id"], force=True)
    api.call("tasks.started", task=task["id"], force=True)
    python(stack, "-m", "components.predict", task=task["id"])
    assert samples() == first and [one["id"] for one in results()] == [saved["id"]]
