"""Backups: taken while the server writes, checked when they come back."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from agent.server import backup


def upload(server: Any, name: str, data: bytes) -> str:
    server.http.post(f"{server.url}/files", files={name: (name, data)}, timeout=10)
    return f"{server.url}/files{name}"


@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz"])
def test_everything_comes_back(start_server: Any, tmp_path: Path, name: str) -> None:
    server = start_server()
    url = upload(server, "/p/a file.bin", b"content")
    task = server.task("kept")
    server.add({"type": "training_stats_scalar", "task": task, "metric": "m", "variant": "v",
                "iter": 1, "value": 2})  # fmt: skip
    token = server.call("auth.login")["token"]
    identity = (server.state / "id").read_text()
    assert backup.save(server.state, tmp_path / name)["files"] == 5
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert not list(server.state.glob(".backup-*"))
    server.stop()

    backup.restore(tmp_path / name, tmp_path / "other")
    again = start_server(state="other")
    header = {"Authorization": f"Bearer {token}"}
    body = {"task": task}
    found = requests.post(f"{again.url}/tasks.get_by_id", json=body, headers=header, timeout=10)
    assert found.json()["data"]["task"]["name"] == "kept"
    assert again.call("events.scalar_metrics_iter_histogram", task=task)["m"]["v"]["y"] == [2]
    path = url.removeprefix(server.url)
    assert again.http.get(f"{again.url}{path}", timeout=10).content == b"content"
    assert (again.state / "id").read_text() == identity


def test_a_backup_under_load_is_of_one_moment(start_server: Any, tmp_path: Path) -> None:
    """A task is registered after its file was uploaded, so no task in a backup lacks its file."""
    server = start_server()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            url = upload(server, f"/w/{number}.bin", b"x" * 5000)
            server.call("tasks.create", name=f"w{number}", type="training", comment=url)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for round_number in range(3):
            backup.save(server.state, tmp_path / f"{round_number}.tar")
    finally:
        stop.set()
        writer.join()
    backup.restore(tmp_path / "2.tar", tmp_path / "other")
    again = start_server(state="other")
    tasks = again.call("tasks.get_all", name="^w", only_fields=["comment"])["tasks"]
    assert tasks
    for task in tasks:
        name = task["comment"].partition("/files/")[2]
        assert (again.state / "files" / name).stat().st_size == 5000


def test_what_is_there_is_not_overwritten(start_server: Any, tmp_path: Path) -> None:
    server = start_server()
    backup.save(server.state, tmp_path / "b.tar")
    with pytest.raises(ValueError, match="there already"):
        backup.save(server.state, tmp_path / "b.tar")
    with pytest.raises(ValueError, match="a server is using"):
        backup.restore(tmp_path / "b.tar", server.state)
    server.stop()
    with pytest.raises(ValueError, match="holds a server's state"):
        backup.restore(tmp_path / "b.tar", server.state)
    with pytest.raises(ValueError, match="no server's state"):
        backup.save(tmp_path / "nothing", tmp_path / "c.tar")


def change(source: Path, target: Path, edit: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    """A backup with each member changed."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for info in old:
            name, data = edit(info.name, old.extractfile(info).read())  # type: ignore[union-attr]
            made = tarfile.TarInfo(name)
            made.size = len(data)
            new.addfile(made, io.BytesIO(data))


def newer(name: str, data: bytes) -> tuple[str, bytes]:
    if name != backup.CONTENTS:
        return name, data
    return name, json.dumps({**json.loads(data), "layout": 99}).encode()


EDITS: dict[str, tuple[Callable[[str, bytes], tuple[str, bytes]], str]] = {
    "a byte": (lambda n, d: (n, d[:-1] + b"!" if n == "files/f" else d), "damaged: files/f"),
    "a name": (lambda n, d: ("files/g" if n == "files/f" else n, d), "damaged"),
    "a way out": (lambda n, d: ("files/../../g" if n == "files/f" else n, d), "not a backup"),
    "an absolute name": (lambda n, d: ("/tmp/g" if n == "files/f" else n, d), "not a backup"),
    "no list": (lambda n, d: ("id" if n == backup.CONTENTS else n, d), "not a backup"),
    "from the future": (newer, "newer Sightline"),
}


@pytest.mark.parametrize("kind", EDITS)
def test_a_damaged_backup_is_refused(start_server: Any, tmp_path: Path, kind: str) -> None:
    server = start_server()
    upload(server, "/f", b"content")
    backup.save(server.state, tmp_path / "good.tar")
    edit, says = EDITS[kind]
    change(tmp_path / "good.tar", tmp_path / "bad.tar", edit)
    with pytest.raises(ValueError, match=says):
        backup.restore(tmp_path / "bad.tar", tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["lock"]


def test_what_is_no_backup_is_refused(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "text.tar").write_text("no tar at all")
    (tmp_path / "cut.tar").write_bytes(b"\x1f\x8b\x08")
    for name in ("text.tar", "cut.tar", "none.tar"):
        state = str(tmp_path / "other")
        assert backup.main(["restore", str(tmp_path / name), "--state", state]) == 1
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
