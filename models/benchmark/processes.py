"""Starting a worker and listening to it, also when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from models.benchmark.hardware import gpu_memory_mb
from models.benchmark.worker import Job

ROOT = Path(__file__).resolve().parents[2]
"""The checkout whose code workers run."""
_TAIL = 300


@dataclass
class Heard:
    """What a worker has told."""

    load: float | None = None
    """Seconds."""
    start: float | None = None
    """Seconds from the start of the process to its first result."""
    device: str = ""
    base_mb: float | None = None
    memory_mb: float | None = None
    gpu_memory_mb: float | None = None
    """More than before it started, on all GPUs together."""
    cores: float | None = None
    network: list[float] = field(default_factory=list)
    """Seconds of each call."""
    end_to_end: list[float] = field(default_factory=list)
    batches: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The events about batches, by size."""
    metrics: dict[str, float] = field(default_factory=dict)
    resampled: list[float | None] = field(default_factory=list)
    problem: str = ""
    """Why it didn't come to its end."""
    done: bool = False
    """It came to its end."""
    refused: bool = False
    """It said itself that this can't be done here; another try is useless."""


def run_worker(
    job: Job, patience: float, progress: Callable[[int, int], None] = lambda *_: None
) -> Heard:
    """Have a worker do a job.

    Args:
        job: what to do.
        patience: seconds without a sign of life after which it is ended.
        progress: told how many pictures of how many were measured.

    Returns:
        What it told until it ended, in whatever way that was.
    """
    heard = Heard()
    gpu_before = gpu_memory_mb()
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "models.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env=_environment(),
            start_new_session=True,  # a group of its own, to be ended as a whole
        )
        try:
            _listen(process, job, patience, heard, started, progress)
        finally:
            _end(process)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    _close(stream)
        if not (heard.problem or heard.done):
            heard.problem = _death(process.returncode, errors)
    if heard.gpu_memory_mb is not None:
        heard.gpu_memory_mb -= gpu_before or 0.0
    return heard


def _listen(
    process: subprocess.Popen[bytes],
    job: Job,
    patience: float,
    heard: Heard,
    started: float,
    progress: Callable[[int, int], None],
) -> None:
    assert process.stdin is not None and process.stdout is not None
    lines: queue.Queue[bytes | None] = queue.Queue()
    stream = process.stdout

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):  # it died before it read: its exit code says how
        process.stdin.write(job.text().encode())
        process.stdin.close()
    while True:
        try:
            line = lines.get(timeout=patience)
        except queue.Empty:
            heard.problem = f"gave no sign of life for {patience:g} s and was ended"
            return
        if line is None:
            break
        event = json.loads(line)
        kind = event.pop("event")
        if kind == "first":
            heard.start = time.perf_counter() - started
        elif kind == "measuring":
            progress(event["done"], event["total"])
        elif kind == "done":
            heard.done = True
            break
        else:
            _take(heard, kind, event)
    # All is told, or its end of the pipe is closed: what is left of it must end now.
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        if not heard.done:
            heard.problem = heard.problem or "went silent and was ended"


def _take(heard: Heard, kind: str, event: dict[str, Any]) -> None:
    if kind == "loaded":
        heard.load, heard.device, heard.base_mb = event["seconds"], event["device"], event["base"]
    elif kind == "single":
        heard.network, heard.end_to_end = event["network"], event["end_to_end"]
        heard.memory_mb, heard.cores = event["memory"], event["cores"]
        heard.gpu_memory_mb = event["gpu_memory"]
    elif kind == "batch":
        heard.batches[event["size"]] = event
    elif kind == "metrics":
        heard.metrics, heard.resampled = event["values"], event["resampled"]
    elif kind == "failed":
        heard.problem, heard.refused = event["problem"], event["refused"]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a worker and what it has started, such as compilers."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _environment() -> dict[str, str]:
    """This process's, with this checkout's code in front."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _death(code: int, errors: IO[bytes]) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        why = " (out of memory?)" if -code == signal.SIGKILL else ""
        line = f"its process was killed by {name}{why}"
    else:
        line = f"its process ended with exit code {code}"
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4 * _TAIL))
    said = errors.read().decode(errors="replace").strip().splitlines()
    return f"{line}: {said[-1][:_TAIL]}" if said else line


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # what was still to be sent to a dead process
        stream.close()
