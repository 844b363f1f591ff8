"""Starts, looks at and ends a Triton for a model repository."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from models.serving.triton.pytriton import prepare
from models.serving.triton.repository import CONFIG

IMAGE = "nvcr.io/nvidia/tritonserver:26.08-py3"
_STATE = ".sightline-triton.json"
_LOG = ".sightline-triton.log"
_POLL = 0.1
_GRACE = 40
"""Seconds for a clean end; Triton itself gives requests 30."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Ports:
    """Where Triton listens."""

    host: str = "127.0.0.1"
    http: int = 8000
    grpc: int | None = None
    """None: no gRPC."""
    metrics: int | None = None
    """None: no metrics."""

    @property
    def url(self) -> str:
        """The HTTP address, as this machine reaches it."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104
        return f"http://{host}:{self.http}"


@dataclass(frozen=True)
class Started:
    """What was started for a repository; kept in it as a file."""

    url: str
    pid: int | None = None
    """Of the server's process, which leads a session of its own."""
    created: float | None = None
    """When that process began: a process id alone may be another's by now."""
    container: str | None = None


@dataclass(frozen=True)
class Status:
    """How a repository's Triton is."""

    started: Started | None
    """None: nothing was started, or it has ended."""
    ready: bool = False
    models: tuple[tuple[str, str], ...] = ()
    """Name and state of each model."""


def up(
    repository: Path,
    ports: Ports,
    tell: Tell,
    *,
    image: str | None = None,
    gpus: str | None = None,
    pytriton: Path | None = None,
    wait: float = 300.0,
) -> Started:
    """Start a Triton and wait until its models are ready.

    Args:
        repository: folder with models.
        ports: where it is to listen.
        tell: told what takes long.
        image: Docker image; None takes `IMAGE`.
        gpus: GPUs that Docker gives it, as in `docker run --gpus`.
        pytriton: cache folder of the server from PyPI, which is then used; None takes Docker, or
            else the `tritonserver` on the path.
        wait: seconds until it must be ready.

    Raises:
        ValueError: nothing to start or to start it with, it runs already, or it ended at once.
    """
    repository = repository.resolve()
    backends = _backends(repository)
    if (found := status(repository)).started:
        raise ValueError(f"a Triton serves {repository} already at {found.started.url}")
    _check_port(ports.host, ports.http)
    log = repository / _LOG
    with_docker = pytriton is None and _docker_runs()
    if (image or gpus) and not with_docker:
        raise ValueError("--image and --gpus need Docker, and no Docker daemon answers here")
    if with_docker:
        started = _start_container(repository, ports, image or IMAGE, gpus)
        tell(f"started container {started.container} of {image or IMAGE}")
    else:
        command, environment = _server(repository, backends, pytriton, tell)
        command += _arguments(repository, ports)
        started = _start_process(command, environment, log, ports)
        tell(f"started {command[0]}, process {started.pid}")
    (repository / _STATE).write_text(json.dumps(asdict(started)))
    try:
        _wait_ready(repository, started, wait)
    except BaseException:
        down(repository)
        raise
    return started


def down(repository: Path) -> bool:
    """End a repository's Triton; requests it has are answered first.

    Returns:
        Whether there was one.

    Raises:
        ValueError: Docker doesn't end the container.
    """
    repository = repository.resolve()
    started = _read(repository)
    running = started is not None and _runs(started)
    if started is not None and started.container:
        _docker("rm", "--force", started.container) if not running else _end_container(started)
    elif started is not None and running:
        _end_process(started)
    (repository / _STATE).unlink(missing_ok=True)
    return running


def status(repository: Path) -> Status:
    """Look at a repository's Triton."""
    started = _read(repository.resolve())
    if started is None or not _runs(started):
        return Status(None)
    try:
        ready = requests.get(f"{started.url}/v2/health/ready", timeout=5).status_code == 200
        index = requests.post(f"{started.url}/v2/repository/index", timeout=5).json()
        models = tuple((str(one["name"]), str(one.get("state", ""))) for one in index)
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return Status(started)
    return Status(started, ready, models)


def _backends(repository: Path) -> dict[str, str]:
    """The text of each model's configuration, by name."""
    if not repository.is_dir():
        raise ValueError(f"{repository} is no folder; make one with: sightline triton make")
    found = {file.parent.name: file.read_text() for file in repository.glob(f"*/{CONFIG}")}
    if not found:
        raise ValueError(f"{repository} holds no model; add one with: sightline triton make")
    return found


def _server(
    repository: Path, configs: dict[str, str], pytriton: Path | None, tell: Tell
) -> tuple[list[str], dict[str, str]]:
    """The program to start, and variables it needs."""
    if pytriton is None:
        program = shutil.which("tritonserver")
        if program is None:
            raise ValueError(
                "there is no Docker daemon and no tritonserver here: start Docker, or use the "
                "server from PyPI with --pytriton (for models made with --backend python)"
            )
        return [program], {}
    libraries = set()
    for name, text in configs.items():
        if not re.search(r'^backend: "python"$', text, re.MULTILINE):
            raise ValueError(
                f"{repository / name}: the server from PyPI has the Python backend only; make the "
                f"model with --backend python"
            )
        libraries |= set(re.findall(r'"runtime" value: \{ string_value: "(\w+)"', text))
    there = prepare(pytriton, sorted(libraries), tell)
    return [str(there.server), f"--backend-directory={there.backends}"], there.environment


def _arguments(repository: Path | str, ports: Ports) -> list[str]:
    arguments = [
        f"--model-repository={repository}",
        f"--http-address={ports.host}",
        f"--http-port={ports.http}",
    ]
    for name, port in (("grpc", ports.grpc), ("metrics", ports.metrics)):
        arguments.append(f"--allow-{name}={'false' if port is None else 'true'}")
        if port is not None:
            arguments += [f"--{name}-address={ports.host}", f"--{name}-port={port}"]
    return arguments


def _start_process(
    command: list[str], environment: dict[str, str], log: Path, ports: Ports
) -> Started:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(ports.url, process.pid, psutil.Process(process.pid).create_time())


def _start_container(repository: Path, ports: Ports, image: str, gpus: str | None) -> Started:
    name = "sightline-triton-" + hashlib.sha256(str(repository).encode()).hexdigest()[:12]
    inside = Ports("0.0.0.0", 8000, ports.grpc and 8001, ports.metrics and 8002)  # noqa: S104
    command = ["run", "--detach", "--name", name, "--shm-size=1g"]
    command += ["--volume", f"{repository}:/models:ro"]
    for out, within in ((ports.http, 8000), (ports.grpc, 8001), (ports.metrics, 8002)):
        if out is not None:
            command += ["--publish", f"{ports.host}:{out}:{within}"]
    if gpus:
        command += ["--gpus", gpus]
    _docker("rm", "--force", name, check=False)  # one that has ended keeps its name
    _docker(*command, image, "tritonserver", *_arguments("/models", inside))
    return Started(ports.url, container=name)


def _wait_ready(repository: Path, started: Started, wait: float) -> None:
    end = time.monotonic() + wait
    while time.monotonic() < end:
        if not _runs(started):
            raise ValueError(f"Triton ended at once: {_last_words(repository, started)}")
        with contextlib.suppress(requests.RequestException):
            ready = requests.get(f"{started.url}/v2/health/ready", timeout=5)
            if ready.status_code == 200:
                return
        time.sleep(_POLL)
    raise ValueError(f"Triton isn't ready after {wait:g} s: {_last_words(repository, started)}")


def _last_words(repository: Path, started: Started) -> str:
    """The line of its log that most likely says why."""
    if started.container:
        text = _docker("logs", "--tail", "200", started.container, check=False)
    else:
        text = (repository / _LOG).read_text(errors="replace")[-50_000:]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"E\d|error|.*[A-Za-z]Error:", line)]
    return (telling[0] if telling else lines[-1] if lines else "its log is empty")[:500]


def _read(repository: Path) -> Started | None:
    try:
        found: Any = json.loads((repository / _STATE).read_text())
        return Started(**found)
    except (OSError, ValueError, TypeError):
        return None


def _runs(started: Started) -> bool:
    if started.container:
        answer = _docker(
            "inspect", "--format", "{{.State.Running}}", started.container, check=False
        )
        return answer.strip() == "true"
    try:
        process = psutil.Process(started.pid)
        same = abs(process.create_time() - (started.created or 0)) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _end_process(started: Started) -> None:
    assert started.pid
    process = psutil.Process(started.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(_GRACE)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_GRACE)
    # The Python backend's processes are in its session; after a kill they may be left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, signal.SIGKILL)


def _end_container(started: Started) -> None:
    assert started.container
    _docker("stop", "--time", str(_GRACE), started.container)
    _docker("rm", "--force", started.container)


def _docker_runs() -> bool:
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _docker(*arguments: str, check: bool = True) -> str:
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ValueError(f"docker can't be started: {error.strerror}") from None
    if done.returncode and check:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise ValueError(f"docker {arguments[0]}: {lines[-1][:300]}")
    return done.stdout + done.stderr


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(
                f"can't listen on {host}:{port} ({error.strerror}); choose another --port"
            ) from None
