"""Pictures linked from a shared folder and from S3, through the SDK's own storage drivers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components.test_tracked_versions import ROOT, source

LOOK = """
import json, sys
from pathlib import Path
from clearml import Dataset
found = Dataset.get(dataset_id=sys.argv[1])
print("SEEN" + json.dumps({
    "files": sorted(e.relative_path for e in found.file_entries),
    "links": {e.relative_path: e.link for e in found.link_entries},
    "copy": sorted(p.relative_to(h).as_posix() for h in [Path(found.get_local_copy())]
                   for p in h.rglob("*") if p.is_file()),
}))
"""

pytestmark = pytest.mark.stack


def command(stack: Any, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=stack.environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", **environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )


def result(done: subprocess.CompletedProcess[str], name: str) -> str:
    assert done.returncode == 0, done.stderr
    return next(
        line.partition(":")[2].strip()
        for line in done.stdout.splitlines()
        if line.startswith(f"{name}:")
    )


def look(stack: Any, dataset: str, **environment: str) -> dict[str, Any]:
    done = command(stack, "-c", LOOK, dataset, **environment)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("SEEN"))
    found: dict[str, Any] = json.loads(line.removeprefix("SEEN"))
    return found


def ingest_and_prepare(stack: Any, name: str, given: str, **environment: str) -> tuple[str, str]:
    options = (f"data.source={given}", "dataset.project=Links", f"dataset.name={name}")
    more = ("data.link=true",) if "://" not in given else ()
    made = command(stack, "-m", "components.ingest", *options, *more, **environment)
    raw = result(made, "dataset")
    done = command(
        stack,
        *("-m", "components.prepare", f"dataset={raw}", f"name={name}-ready", "project=Links"),
        **environment,
    )
    return raw, result(done, "dataset")


def check(stack: Any, raw: str, ready: str, home: str, **environment: str) -> None:
    found = look(stack, raw, **environment)
    assert found["files"] == ["train/labels.json"]
    names = {f"train/data/{n}.jpg" for n in range(12)}
    assert found["links"] == {name: f"{home}/{name}" for name in names}
    assert set(found["copy"]) == names | {"train/labels.json"}
    prepared = look(stack, ready, **environment)
    assert {url.rsplit("/", 1)[-1] for url in prepared["links"].values()} == {
        f"{n}.jpg" for n in range(12)
    }
    assert not [name for name in prepared["files"] if name.endswith(".jpg")]
    assert set(prepared["copy"]) == {*prepared["files"], *prepared["links"]}
    assert {name.split("/")[0] for name in prepared["links"]} == {"train", "val", "test"}


def test_pictures_of_a_shared_folder_stay_there(stack: Any, tmp_path: Path) -> None:
    folder = source(tmp_path / "shared disk", range(12))
    raw, ready = ingest_and_prepare(stack, "disk", str(folder))
    check(stack, raw, ready, f"file://{folder}")
    (folder / "train" / "data" / "3.jpg").unlink()
    options = (f"dataset={raw}", "name=gone", "project=Links")
    done = command(
        stack, "-m", "components.prepare", *options, CLEARML_CACHE_DIR=str(tmp_path / "cache")
    )
    assert done.returncode == 64
    assert "1 linked files can't be fetched" in done.stderr
    assert "3.jpg among them" in done.stderr


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A server that speaks S3, with one bucket."""
    pytest.importorskip("moto")
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", "0", "-H", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "moto.log").open("w"),
    )
    try:
        port = _port(tmp_path / "moto.log")
        yield f"127.0.0.1:{port}", port
    finally:
        process.kill()
        process.wait()


def _port(log: Path) -> int:
    for _ in range(200):
        for line in log.read_text().splitlines():
            if "http://127.0.0.1:" in line:
                port = int(line.rpartition(":")[2].split()[0].strip("/"))
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                return port
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_pictures_in_s3_stay_there(
    stack: Any, tmp_path: Path, s3: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    host, _ = s3
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="pictures")
    folder = source(tmp_path / "set", range(12))
    for file in folder.rglob("*.*"):
        client.upload_file(str(file), "pictures", f"cells/{file.relative_to(folder).as_posix()}")
    conf = tmp_path / "clearml.conf"
    known = Path(stack.environment()["CLEARML_CONFIG_FILE"]).read_text()
    conf.write_text(
        known
        + f"""
sdk.aws.s3.credentials: [
  {{host: "{host}", key: "key", secret: "secret", secure: false, multipart: false}}
]
"""
    )
    environment = {"CLEARML_CONFIG_FILE": str(conf), "NO_PROXY": "127.0.0.1"}
    home = f"s3://{host}/pictures/cells"
    raw, ready = ingest_and_prepare(stack, "bucket", home, **environment)
    check(stack, raw, ready, home, **environment)
    nothing = command(
        stack,
        *("-m", "components.ingest", f"data.source=s3://{host}/pictures/none"),
        **environment,
    )
    assert nothing.returncode == 64
    assert "no file can be listed there" in nothing.stderr
