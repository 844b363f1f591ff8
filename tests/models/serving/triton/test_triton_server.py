"""Starting, looking at and ending a Triton; a small program stands in for the server here."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main

_SERVER = """#!{python}
import http.server, json, os, sys, time
given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
repository = given["model-repository"]
if os.path.exists(repository + "/broken"):
    print("I0101 something")
    print("E0101 12:00 the model is broken")
    sys.exit(1)
if os.path.exists(repository + "/slow"):
    time.sleep(60)
json.dump(given, open(repository + "/given.json", "w"))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps([dict(name="m", version="1", state="READY")]).encode())
    def log_message(self, *_): pass
http.server.HTTPServer((given["http-address"], int(given["http-port"])), Answer).serve_forever()
"""
_DOCKER = """#!{python}
import json, os, sys
folder = os.path.dirname(os.path.abspath(__file__))
with open(folder + "/docker.log", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
running = folder + "/container"
if sys.argv[1] == "info":
    sys.exit(0 if os.path.exists(folder + "/daemon") else 1)
if sys.argv[1] == "run":
    open(running, "w").close()
if sys.argv[1] in ("stop", "rm") and os.path.exists(running):
    os.remove(running)
if sys.argv[1] == "inspect":
    print("true" if os.path.exists(running) else "false")
if sys.argv[1] == "logs":
    print("E0101 no such model")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole path."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in (("tritonserver", _SERVER), ("docker", _DOCKER)):
        file = folder / name
        file.write_text(text.replace("{python}", sys.executable))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "repository"
    (folder / "m").mkdir(parents=True)
    (folder / "m" / "config.pbtxt").write_text('backend: "onnxruntime"\n')
    yield folder
    call("down", folder)


def call(command: str, repository: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["triton", command, str(repository), *options])


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def test_a_server_on_the_path(programs: Path, repository: Path) -> None:
    port = free_port()
    ports = ["--port", port, "--grpc-port", "8101", "--metrics-port", "8102"]
    done = call("up", repository, *ports, "--host", "127.0.0.1")
    assert done.exit_code == 0, done.output
    assert f"http://127.0.0.1:{port}/v2/models/m  READY" in done.output
    assert json.loads((repository / "given.json").read_text()) == {
        "model-repository": str(repository),
        "http-address": "127.0.0.1",
        "http-port": port,
        "allow-grpc": "true",
        "grpc-address": "127.0.0.1",
        "grpc-port": "8101",
        "allow-metrics": "true",
        "metrics-address": "127.0.0.1",
        "metrics-port": "8102",
    }
    again = call("up", repository, "--port", free_port())
    assert (again.exit_code, "already at http://127.0.0.1:" + port in again.output) == (1, True)
    looked = call("status", repository)
    assert (looked.exit_code, f"127.0.0.1:{port}  ready" in looked.output) == (0, True)
    pid = json.loads((repository / ".sightline-triton.json").read_text())["pid"]
    assert call("down", repository).output == "ended\n"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert call("status", repository).exit_code == 1
    assert call("down", repository).output == f"no Triton serves {repository}\n"


def test_one_that_was_killed_may_start_again(programs: Path, repository: Path) -> None:
    assert call("up", repository, "--port", free_port()).exit_code == 0
    given = json.loads((repository / "given.json").read_text())
    assert (given["allow-grpc"], given["allow-metrics"]) == ("false", "false")
    pid = json.loads((repository / ".sightline-triton.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    while "no Triton" not in call("status", repository).output:
        time.sleep(0.01)
    assert call("up", repository, "--port", free_port()).exit_code == 0


def test_another_process_of_that_number_is_left_alone(programs: Path, repository: Path) -> None:
    state = {"url": "http://127.0.0.1:1", "pid": os.getpid(), "created": 1.0, "container": None}
    (repository / ".sightline-triton.json").write_text(json.dumps(state))
    assert call("down", repository).output.startswith("no Triton serves")


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("broken", [], "Triton ended at once: E0101 12:00 the model is broken"),
        ("slow", ["--wait", "1"], "isn't ready after 1 s"),
        ("fine", ["--gpus", "all"], "--image and --gpus need Docker"),
        ("fine", ["--image", "x"], "--image and --gpus need Docker"),
        ("fine", ["--cache", "x"], "--cache belongs to --pytriton"),
        ("fine", ["--pytriton"], "has the Python backend only"),
    ],
)
def test_it_says_why_it_does_not_start(
    programs: Path, repository: Path, file: str, options: list[str], words: str
) -> None:
    (repository / file).touch()
    done = call("up", repository, "--port", free_port(), *options)
    assert done.exit_code == 1
    assert words in done.output.splitlines()[-1]
    assert call("status", repository).exit_code == 1
    assert not (repository / ".sightline-triton.json").exists()


def test_nothing_to_start(programs: Path, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no model" in call("up", tmp_path / "empty").output
    (programs / "tritonserver").unlink()
    assert "no Docker daemon and no tritonserver" in call("up", repository).output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = call("up", repository, "--port", str(taken.getsockname()[1]))
        assert "choose another --port" in done.output


def test_docker_if_there_is_one(programs: Path, repository: Path) -> None:
    """What docker is asked; no container runs here, so nothing gets ready."""
    (programs / "daemon").touch()
    options = ["--port", free_port(), "--grpc-port", "9001", "--metrics-port", "9002"]
    done = call(
        "up", repository, *options, "--image", "own/triton:1", "--gpus", "all", "--wait", "1"
    )
    assert "isn't ready after 1 s: E0101 no such model" in done.output
    asked = [json.loads(line) for line in (programs / "docker.log").read_text().splitlines()]
    (run,) = [words for words in asked if words[0] == "run"]
    name = run[run.index("--name") + 1]
    for words in (
        ["--detach"],
        ["--gpus", "all"],
        ["--volume", f"{repository}:/models:ro"],
        ["--publish", f"127.0.0.1:{options[1]}:8000"],
        ["--publish", "127.0.0.1:9001:8001"],
        ["--publish", "127.0.0.1:9002:8002"],
        ["own/triton:1", "tritonserver", "--model-repository=/models", "--http-address=0.0.0.0"],
        ["--http-port=8000", "--allow-grpc=true", "--grpc-address=0.0.0.0", "--grpc-port=8001"],
    ):
        places = [i for i in range(len(run)) if run[i : i + len(words)] == words]
        assert places, words
    # And it isn't left behind.
    assert ["stop", "--time", "40", name] in asked
    assert asked[-1] == ["inspect", "--format", "{{.State.Running}}", name] or asked[-1][0] == "rm"
    assert not (programs / "container").exists()
