"""`sightline server backup` and `restore`, on state folders as `sightline up` lays them out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from agent.stack.credentials import load_or_make_credentials
from agent.stack.home import StackHome
from agent.stack.server_commands import server

ROOT = Path(__file__).parents[3]


class Serving:
    """The server over a stack's home."""

    def __init__(self, home: StackHome) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.server", "--state", str(home.server), "--port", "0",
             "--credentials", str(home.credentials)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[1]
        keys = json.loads(home.credentials.read_text())
        self.auth = (keys["access_key"], keys["secret_key"])

    def projects(self) -> list[str]:
        answer = requests.post(f"{self.url}/projects.get_all", auth=self.auth, timeout=10)
        return [project["name"] for project in answer.json()["data"]["projects"]]

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


def test_a_stack_moves_to_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = StackHome(tmp_path / "old"), StackHome(tmp_path / "new")
    old.create()
    load_or_make_credentials(old)
    file = tmp_path / "all.tar.gz"
    run = CliRunner().invoke

    with Serving(old) as serving:
        requests.post(f"{serving.url}/projects.create", json={"name": "kept"}, auth=serving.auth,
                      timeout=10)  # fmt: skip
        monkeypatch.setenv("SIGHTLINE_HOME", str(old.root))
        saved = run(server, ["backup", str(file)])
        assert saved.exit_code == 0, saved.output
        assert "files" in saved.output
        again = run(server, ["backup", str(file)])
        assert again.exit_code == 1
        assert "there already" in again.output
        live = run(server, ["restore", str(file)])
        assert live.exit_code == 1
        assert "a server is using" in live.output

    monkeypatch.setenv("SIGHTLINE_HOME", str(new.root))
    restored = run(server, ["restore", str(file)])
    assert restored.exit_code == 0, restored.output
    assert new.credentials.read_text() == old.credentials.read_text()
    with Serving(new) as serving:
        assert "kept" in serving.projects()
