"""Start processes that outlive the terminal, know them again, and end exactly those."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from agent.stack.home import disk_errors
from agent.stack.state import ProcessRecord

STACK_MARK = "SIGHTLINE_STACK"
"""In the environment of every process of a stack, with the stack's id; children inherit it."""

ROLE_MARK = "SIGHTLINE_ROLE"
"""Beside it: `server`, or the name of the agent under which the process runs."""

LOG_LIMIT_BYTES = 10_000_000
_LOGS_KEPT = 3

_started: dict[int, subprocess.Popen[bytes]] = {}
"""Our own children: they must be reaped, or a dead one looks alive to whoever asks the kernel."""


def launch(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> ProcessRecord:
    """Start a process in a session of its own, with no input and its output in a file.

    Args:
        command: Program and arguments.
        environment: All of its environment.
        folder: Its working directory.
        log: The file that its output is added to; rotated first if it has grown.
    """
    with disk_errors(log.parent):
        rotate(log)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    _started[process.pid] = process
    try:
        return ProcessRecord(process.pid, _start_time(psutil.Process(process.pid)))
    except psutil.Error:  # ended at once; the caller's next look finds it gone
        return ProcessRecord(process.pid, 0.0)


def rotate(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move a log that is over the limit to `.1`, the earlier one to `.2`, and drop the last."""
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return
    for number in range(_LOGS_KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


def find(record: ProcessRecord | None) -> psutil.Process | None:
    """The recorded process if it still runs; None if it has ended or its pid is another's now."""
    if record is None:
        return None
    _reap()
    try:
        process = psutil.Process(record.pid)
        same = abs(_start_time(process) - record.started) < 0.02
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _start_time(process: psutil.Process) -> float:
    """When a process was started, by a clock that nobody sets.

    psutil's own answer moves with the wall clock: after a correction of a second, each process
    would look like another.
    """
    try:
        # The command's name, in parentheses, may contain anything; 20 fields after it.
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError as error:
        if Path("/proc/self").exists():
            raise psutil.NoSuchProcess(process.pid) from error
        return process.create_time()  # not Linux
    except ProcessLookupError as error:
        raise psutil.NoSuchProcess(process.pid) from error


def whereabouts(record: ProcessRecord) -> str:
    """What became of a recorded process that `find` doesn't find, in words."""
    try:
        name = psutil.Process(record.pid).name()
    except psutil.Error:
        return f"pid {record.pid} is gone"
    if record.pid in _started:
        return f"pid {record.pid} has ended"
    return f"pid {record.pid} belongs to another program now ({name}), which is left alone"


def marked(stack_id: str, role: str | None = None) -> list[psutil.Process]:
    """All live processes that carry the stack's mark (and the role's), this one excepted."""
    _reap()
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environment = process.environ()
            if environment.get(STACK_MARK) != stack_id:
                continue
            if role is not None and environment.get(ROLE_MARK) != role:
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue  # ended meanwhile, or not ours to look at, and so not ours to end
    return found


def with_descendants(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """The processes and all that they started, each once; never this process."""
    found: dict[int, psutil.Process] = {}
    for process in processes:
        found.setdefault(process.pid, process)
        with contextlib.suppress(psutil.Error):
            for child in process.children(recursive=True):
                found.setdefault(child.pid, child)
    found.pop(os.getpid(), None)
    return list(found.values())


def end(processes: Sequence[psutil.Process], grace_s: float) -> int:
    """Ask the processes to end (SIGTERM), and kill those that don't within the grace time.

    psutil looks at the creation time before it signals, so a reused pid is not hit.

    Args:
        processes: What to end.
        grace_s: Seconds between asking and killing.

    Returns:
        How many had to be killed.
    """
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    alive = wait(processes, grace_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait(alive, 5.0)
    return len(alive)


def wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended; returns those that haven't.

    A process that its parent hasn't reaped has ended too: in a container nobody may ever do it.
    """
    deadline = time.monotonic() + seconds
    while True:
        _reap()
        alive = [process for process in processes if _runs(process)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _reap() -> None:
    for pid, process in list(_started.items()):
        if process.poll() is not None:
            del _started[pid]
