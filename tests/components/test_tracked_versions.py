"""Versions of a dataset on the embedded server: each stores only what changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
LOOK = """
import json, sys
from pathlib import Path
from clearml import Dataset
found = Dataset.get(dataset_id=sys.argv[1])
home = Path(found.get_local_copy())
artifacts = found._task.artifacts
print("SEEN" + json.dumps({
    "parents": found.get_dependency_graph()[found.id],
    "stored": sum(a.size or 0 for name, a in artifacts.items() if name.startswith("data")),
    "files": {p.relative_to(home).as_posix(): p.stat().st_size
              for p in home.rglob("*") if p.is_file()},
}))
"""

pytestmark = pytest.mark.stack


def noise(file: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(file, quality=95)


def source(folder: Path, numbers: range) -> Path:
    """Write COCO data of pictures by number."""
    data = folder / "train" / "data"
    data.mkdir(parents=True, exist_ok=True)
    for old in data.iterdir():
        old.unlink()
    for number in numbers:
        noise(data / f"{number}.jpg", number)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 64} for n in numbers]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9 + n]} for n in numbers
    ]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "train" / "labels.json").write_text(json.dumps(content))
    return folder


def command(stack: Any, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=stack.environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ingest(stack: Any, folder: Path, name: str, *more: str) -> str:
    given = (f"data.source={folder}", "dataset.project=Versions", f"dataset.name={name}", *more)
    command(stack, "-m", "components.ingest", "--name", name, *given)
    found = stack.api().call(
        "tasks.get_all", name=f"^{name}$", system_tags=["dataset"], search_hidden=True,
        order_by=["-created"],
    )["tasks"]  # fmt: skip
    identity: str = found[0]["id"]
    return identity


def look(stack: Any, dataset: str) -> dict[str, Any]:
    line = next(
        line for line in command(stack, "-c", LOOK, dataset).splitlines() if line.startswith("SEEN")
    )
    found: dict[str, Any] = json.loads(line.removeprefix("SEEN"))
    return found


def sizes(folder: Path) -> dict[str, int]:
    return {
        p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()
    }


def test_a_version_stores_what_changed_and_reads_as_a_whole(stack: Any, tmp_path: Path) -> None:
    first = ingest(stack, source(tmp_path / "a", range(20)), "growing")
    before = look(stack, first)
    assert before["parents"] == []

    folder = source(tmp_path / "a", range(2, 23))  # two are gone, three are new
    second = ingest(stack, folder, "growing")
    after = look(stack, second)
    assert after["parents"] == [first]
    assert after["files"] == sizes(folder)
    assert after["stored"] < 0.4 * before["stored"]

    whole = look(stack, ingest(stack, folder, "growing", "dataset.increment=false"))
    assert whole["parents"] == []
    assert whole["files"] == sizes(folder)
    assert whole["stored"] > 0.9 * before["stored"]


def test_a_version_that_shares_little_stands_alone(stack: Any, tmp_path: Path) -> None:
    ingest(stack, source(tmp_path / "a", range(10)), "replaced")
    folder = source(tmp_path / "a", range(8, 20))
    found = look(stack, ingest(stack, folder, "replaced"))
    assert found["parents"] == []
    assert found["files"] == sizes(folder)


def test_a_version_without_a_change_stores_nothing(stack: Any, tmp_path: Path) -> None:
    folder = source(tmp_path / "a", range(10))
    first = ingest(stack, folder, "same")
    found = look(stack, ingest(stack, folder, "same"))
    assert found["parents"] == [first]
    assert found["files"] == sizes(folder)
    assert found["stored"] == 0


def cached(stack: Any, dataset: str) -> list[Path]:
    """Copies of a dataset in the SDK's cache."""
    return [p for p in stack.home.root.rglob(f"ds_*{dataset}*") if p.is_dir() and any(p.iterdir())]


@pytest.mark.parametrize("keep", [True, False])
def test_the_local_copy_is_kept_or_dropped(stack: Any, tmp_path: Path, keep: bool) -> None:
    raw = ingest(stack, source(tmp_path / "a", range(12)), f"kept-{keep}")
    command(
        stack, "-m", "components.prepare", f"dataset={raw}", f"keep_local={str(keep).lower()}",
        "previews=0",
    )  # fmt: skip
    assert bool(cached(stack, raw)) == keep


FETCH = """
import sys, time
from pathlib import Path
from components.run.tracked_datasets import fetch_dataset
ready = Path(sys.argv[2])
(ready / sys.argv[3]).touch()
while len(list(ready.iterdir())) < int(sys.argv[4]):
    time.sleep(0.005)
copy = fetch_dataset(sys.argv[1], "Versions")
print("FILES", sum(path.is_file() for path in copy.folder.rglob("*.jpg")))
"""


def test_stages_that_fetch_a_version_at_once_all_get_it_whole(stack: Any, tmp_path: Path) -> None:
    """The SDK takes what another process has half unpacked for damaged, and deletes it."""
    version = ingest(stack, source(tmp_path / "a", range(1500)), "wanted")
    ready = tmp_path / "ready"
    ready.mkdir()
    fetching = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, version, str(ready), str(number), "4"],
            env=stack.environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    done = [(process.communicate(timeout=240), process.returncode) for process in fetching]
    assert [code for _, code in done] == [0] * 4, [err[-500:] for (_, err), code in done if code]
    assert all("FILES 1500" in out for (out, _), _ in done)
