import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.stack import ports, processes
from agent.stack.environment import base_environment
from agent.stack.errors import StackError
from agent.stack.starting import choose_port
from agent.stack.state import ProcessRecord, StackState

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); time.sleep(60)"
)
# Starts a grandchild that leaves the session and whose parent ends at once.
DETACHING = (
    "import os, subprocess, sys, time\n"
    "if os.fork() == 0:\n"
    f"    subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
    "    os._exit(0)\n"
    "os.wait(); print('ready', flush=True); time.sleep(60)\n"
)


@pytest.fixture
def stack_id() -> Iterator[str]:
    stack_id = f"test{os.getpid()}-{time.monotonic_ns()}"
    yield stack_id
    processes.end(processes.marked(stack_id), grace_s=0.0)


def start(stack_id: str, folder: Path, code: str = SLEEP, role: str = "server") -> ProcessRecord:
    log = folder / "log"
    record = processes.launch(
        [sys.executable, "-c", code], base_environment(stack_id, role), folder, log
    )
    while "ready" in code and "ready" not in log.read_text():
        time.sleep(0.01)
    # The kernel shows the environment an instant after the program has replaced its parent's.
    while processes.find(record) and record.pid not in {p.pid for p in processes.marked(stack_id)}:
        time.sleep(0.01)
    return record


def test_launch_is_detached_and_found_again(stack_id: str, tmp_path: Path) -> None:
    record = start(stack_id, tmp_path)
    process = processes.find(record)
    assert process is not None
    assert os.getsid(record.pid) == record.pid
    assert Path(f"/proc/{record.pid}/fd/0").readlink() == Path(os.devnull)
    assert [found.pid for found in processes.marked(stack_id)] == [record.pid]
    assert [found.pid for found in processes.marked(stack_id, "gpu")] == []


def test_a_process_that_ended_is_not_found(stack_id: str, tmp_path: Path) -> None:
    record = start(stack_id, tmp_path, "pass")
    deadline = time.monotonic() + 10
    while processes.find(record) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes.find(record) is None
    assert processes.whereabouts(record) == f"pid {record.pid} is gone"
    assert processes.marked(stack_id) == []


def test_a_reused_pid_is_not_ours() -> None:
    other = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        stale = ProcessRecord(other.pid, 1.0)
        assert processes.find(stale) is None
        assert "belongs to another program now (python" in processes.whereabouts(stale)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_end_kills_only_what_does_not_end(stack_id: str, tmp_path: Path) -> None:
    polite = start(stack_id, tmp_path)
    stubborn = start(stack_id, tmp_path, STUBBORN)
    unrelated = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        assert processes.end(processes.marked(stack_id), grace_s=0.5) == 1
        assert processes.find(polite) is None
        assert processes.find(stubborn) is None
        assert unrelated.poll() is None
    finally:
        unrelated.kill()
        unrelated.wait()


def test_a_process_that_nobody_reaps_has_ended(stack_id: str, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    record = start(stack_id, tmp_path, code)
    (child,) = [found for found in processes.marked(stack_id) if found.pid != record.pid]
    killed = processes.end([child], grace_s=20.0)  # its parent sleeps
    assert child.status() == psutil.STATUS_ZOMBIE
    assert killed == 0
    assert processes.wait([child], 0.0) == []


def test_a_detached_grandchild_is_found_by_its_mark(stack_id: str, tmp_path: Path) -> None:
    record = start(stack_id, tmp_path, DETACHING)
    parent = processes.find(record)
    assert parent is not None
    found = processes.marked(stack_id)
    assert len(found) == 2
    assert len(processes.with_descendants([parent])) == 1  # by descent alone it'd be missed
    os.kill(record.pid, signal.SIGKILL)
    processes.end(processes.marked(stack_id), grace_s=3.0)
    assert processes.marked(stack_id) == []


@pytest.mark.parametrize(("size", "rotated"), [(10, False), (11, True)])
def test_rotate_at_the_limit(tmp_path: Path, size: int, rotated: bool) -> None:
    log = tmp_path / "x.log"
    for number in (1, 2, 3):
        (tmp_path / f"x.log.{number}").write_text(str(number))
    log.write_text("n" * size)
    processes.rotate(log, limit_bytes=10)
    assert log.exists() is not rotated
    if rotated:
        kept = [(tmp_path / f"x.log.{number}").read_text() for number in (1, 2, 3)]
        assert kept == ["n" * size, "1", "2"]


def test_environment_drops_what_would_mislead(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLEARML_API_HOST", "TRAINS_TASK_ID", "PYTHONPATH", "GIT_DIR", "RANK"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "intranet")
    made = base_environment("id", "gpu")
    assert not {"CLEARML_API_HOST", "TRAINS_TASK_ID", "PYTHONPATH", "GIT_DIR", "RANK"} & set(made)
    assert made["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert (made[processes.STACK_MARK], made[processes.ROLE_MARK]) == ("id", "gpu")


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_busy_port_is_seen_and_its_holder_named(busy: int) -> None:
    assert not ports.is_free("127.0.0.1", busy)
    assert f"pid {os.getpid()}" in ports.holder(busy)
    assert ports.next_free("127.0.0.1", busy) > busy


def test_no_free_port_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda host, port: False)
    with pytest.raises(StackError, match="--port"):
        ports.next_free("127.0.0.1")


@pytest.mark.parametrize(
    ("remembered", "named", "outcome"),
    [
        (None, None, "next"),
        (None, "busy", "--port N"),
        ("busy", None, "which the URLs stored in this stack contain"),
        ("busy", "free", "moving from port"),
        ("free", None, "free"),
    ],
)
def test_choosing_a_port(
    busy: int,
    monkeypatch: pytest.MonkeyPatch,
    remembered: str | None,
    named: str | None,
    outcome: str,
) -> None:
    monkeypatch.setattr(ports, "DEFAULT_PORT", busy)
    free = ports.next_free("127.0.0.1", busy)
    numbers = {"busy": busy, "free": free, None: None}
    lines: list[str] = []
    state = StackState(id="x", port=numbers[remembered])

    def choose() -> int:
        return choose_port(state, "127.0.0.1", numbers[named], lines.append)

    if outcome in ("next", "free"):
        assert choose() == free
        assert len(lines) == (outcome == "next")
        assert all(f"port {busy} is held by" in line and str(free) in line for line in lines)
    elif outcome.startswith("moving"):
        assert choose() == free
        assert lines == [
            f"moving from port {busy} to {free}: URLs stored until now name the old one"
        ]
    else:
        with pytest.raises(StackError, match=outcome):
            choose()
