"""`sightline serve` as a process: it starts, ends, is killed and starts again."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from click.testing import CliRunner

from models.serving.options import ServeOptions
from pipelines.cli import main

COMMAND = [sys.executable, "-m", "pipelines.cli", "serve"]


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def few_files() -> None:
    """What a process may have open unless it asks for more."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def start(
    processes: list[subprocess.Popen[str]], package: Path, *options: str
) -> tuple[subprocess.Popen[str], str]:
    """Start the command and wait until it says where it serves."""
    command = [*COMMAND, str(package), "--threads", "1", "--runtime", "onnxruntime", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, preexec_fn=few_files,
    )  # fmt: skip
    processes.append(process)
    assert process.stdout and process.stderr
    line = process.stdout.readline()
    found = re.search(r"http://[\d.:]+", line)
    assert found, line + process.stderr.read()
    return process, found[0]


def test_sigterm_drains_and_kill_9_leaves_nothing(
    exported: Path, jpegs: list[bytes], processes: list[subprocess.Popen[str]]
) -> None:
    process, url = start(processes, exported, "--port", "0", "--batch", "1", "--name", "squares")
    assert requests.get(f"{url}/v2/models/squares", timeout=60).json()["name"] == "squares"
    port = url.rsplit(":", 1)[1]

    def ask(_: int) -> requests.Response:
        return requests.post(f"{url}/predict", data=jpegs[0], timeout=60)

    # One picture, but its last byte comes after the signal.
    with socket.create_connection(("127.0.0.1", int(port)), 60) as slow:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(jpegs[0])}\r\n\r\n"
        slow.sendall(head.encode() + jpegs[0][:-1])
        with ThreadPoolExecutor(8) as pool:
            assert {one.status_code for one in pool.map(ask, range(16))} == {200}
        process.send_signal(signal.SIGTERM)
        for _ in range(1000):  # no more connections are taken
            try:
                socket.create_connection(("127.0.0.1", int(port)), 60).close()
            except ConnectionRefusedError:
                break
            time.sleep(0.01)
        else:
            raise AssertionError("it still listens")
        assert process.poll() is None
        slow.sendall(jpegs[0][-1:])
        answer = slow.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 200 ")
    assert process.wait(60) == 0
    assert process.stderr and process.stderr.read() == ""

    second, again = start(processes, exported, "--port", port)
    assert again == url
    second.send_signal(signal.SIGKILL)
    assert second.wait(60) == -signal.SIGKILL
    third, again = start(processes, exported, "--port", port)
    assert again == url
    idle = [socket.create_connection(("127.0.0.1", int(port)), 60) for _ in range(150)]
    assert ask(0).status_code == 200
    for connection in idle:
        connection.close()

    taken = subprocess.run(
        [*COMMAND, str(exported), "--port", port], capture_output=True, text=True, check=False
    )
    assert taken.returncode == 1
    assert taken.stderr.startswith(f"Error: can't listen on 127.0.0.1:{port}")
    assert len(taken.stderr.strip().splitlines()) == 1
    third.send_signal(signal.SIGINT)
    assert third.wait(60) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "-x/y"], "--name -x/y: expected letters"),
        (["--device", "abacus"], "device=abacus"),
        (["--precision", "int8"], "has no openvino int8 artifact"),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid"),
    ],
)
def test_mistakes_are_one_line(exported: Path, options: list[str], words: str) -> None:
    done = CliRunner().invoke(main, ["serve", str(exported), *options])
    assert done.exit_code == 1
    assert words in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_every_option_reaches_the_service(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.serving import server

    seen: list[Any] = []
    monkeypatch.setattr(server, "serve", lambda *given: seen.append(given[:4]))
    given = ["--host", "::1", "--port", "1234", "--name", "n", "--runtime", "torch"]
    given += [
        "--device",
        "cpu",
        "--precision",
        "float32",
        "--threads",
        "1",
        "--batch",
        "3",
        "--max-wait-ms",
        "4",
    ]
    given += ["--queue", "5", "--timeout", "6", "--max-megabytes", "7", "--max-megapixels", "8"]
    for options in (given, []):
        done = CliRunner().invoke(main, ["serve", str(exported), *options])
        assert done.exit_code == 0, done.output
    predictor, options, host, port = seen[0]
    assert (predictor.runtime, predictor.engine.device, predictor.engine._threads) == (
        "torch", "cpu", 1,
    )  # fmt: skip
    assert (host, port) == ("::1", 1234)
    assert options.model_dump() == {
        "name": "n",
        "batch": 3,
        "max_wait_ms": 4.0,
        "queue": 5,
        "timeout": 6.0,
        "max_megabytes": 7.0,
        "max_megapixels": 8.0,
    }
    predictor, options, host, port = seen[1]
    assert (predictor.runtime, host, port) == ("openvino", "127.0.0.1", 8000)
    assert options == ServeOptions()  # what --help shows is what holds


def test_a_zip_is_served_too(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.package import zip_package
    from models.serving import server

    def serve(predictor: Any, *_: Any) -> None:
        assert predictor.package.card.class_names == ("red", "blue")
        assert len(predictor([np.zeros((9, 9, 3), np.uint8)], 0.0)) == 1

    monkeypatch.setattr(server, "serve", serve)
    archive = zip_package(exported, tmp_path / "model.zip")
    done = CliRunner().invoke(main, ["serve", str(archive), "--threads", "1"])
    assert done.exit_code == 0, done.output


def test_no_package(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["serve", str(tmp_path)])
    assert (done.exit_code, "is no model package" in done.output) == (1, True)


def test_help_says_what_it_speaks_and_loads_nothing_heavy() -> None:
    code = """
import sys
from click.testing import CliRunner
from models.serving.options import ServeOptions
from pipelines.cli import main
for command in (["serve"], ["triton", "make"], ["triton", "up"]):
    print(CliRunner().invoke(main, [*command, "--help"]).output)
heavy = {"starlette", "uvicorn", "onnxruntime", "openvino", "torch", "cv2", "tritonclient"}
print("LOADED", *(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "It doesn't speak gRPC" in " ".join(done.stdout.split())
    assert done.stdout.rstrip().endswith("LOADED")
