"""A server that dies starts again by itself; one that is ended stays so."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/debug.ping", timeout=5).ok
    except requests.RequestException:
        return False


def servers(state: Path) -> list[psutil.Process]:
    """The server processes and guardians of a state folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if str(state) in line and any(word.startswith("agent.server") for word in line):
            found.append(process)
    return found


def server_of(state: Path) -> psutil.Process | None:
    return next((p for p in servers(state) if "agent.server" in p.cmdline()), None)


@pytest.fixture
def guarded(start_server: Any) -> Any:
    server = start_server("--restart")
    yield server
    for process in servers(server.state):
        process.kill()


def test_it_comes_back_as_often_as_it_is_killed(guarded: Any, wait_for: Any) -> None:
    task = guarded.task("kept")
    for _ in range(3):
        dying = wait_for(lambda: server_of(guarded.state))
        os.kill(dying.pid, signal.SIGKILL)
        wait_for(lambda dead=dying.pid: (found := server_of(guarded.state)) and found.pid != dead)
        wait_for(lambda: answers(guarded.url))
        assert guarded.call("tasks.get_by_id", task=task)["task"]["name"] == "kept"


def test_a_guardian_that_dies_is_replaced(guarded: Any, wait_for: Any) -> None:
    def guardian() -> psutil.Process | None:
        return next((p for p in servers(guarded.state) if "agent.server.guardian" in p.cmdline()),
                    None)  # fmt: skip

    first = wait_for(guardian)
    first.kill()
    wait_for(lambda: (found := guardian()) is not None and found.pid != first.pid)
    os.kill(guarded.process.pid, signal.SIGKILL)
    wait_for(lambda: (found := server_of(guarded.state)) and found.pid != guarded.process.pid)
    wait_for(lambda: answers(guarded.url))


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_stays_down_when_told_to_end(guarded: Any, wait_for: Any, told: signal.Signals) -> None:
    wait_for(lambda: len(servers(guarded.state)) == 2)
    guarded.process.send_signal(told)
    guarded.process.wait(timeout=20)
    wait_for(lambda: not servers(guarded.state))
    assert not answers(guarded.url)


@pytest.mark.slow
def test_a_hundred_kills_under_load_with_nobody_to_start_it_again(
    guarded: Any, wait_for: Any
) -> None:
    """Every acknowledged point is there, and each time it is back within moments."""
    task = guarded.task()
    acknowledged: list[int] = []
    stop = threading.Event()

    def write() -> None:
        step = 0
        while not stop.is_set():
            event = {"type": "training_stats_scalar", "task": task, "metric": "m", "variant": "v",
                     "iter": step, "value": step}  # fmt: skip
            try:
                answer = requests.post(f"{guarded.url}/events.add", json=event, timeout=5,
                                       auth=guarded.http.auth)  # fmt: skip
                if answer.ok:
                    acknowledged.append(step)
            except requests.RequestException:
                time.sleep(0.02)
            step += 1

    writer = threading.Thread(target=write)
    writer.start()
    away = []
    try:
        for _ in range(100):
            dying = wait_for(lambda: answers(guarded.url) and server_of(guarded.state), every=0.02)
            time.sleep(0.2)
            os.kill(dying.pid, signal.SIGKILL)
            killed = time.monotonic()
            wait_for(lambda: answers(guarded.url), every=0.02)
            away.append(time.monotonic() - killed)
    finally:
        stop.set()
        writer.join()
    curve = guarded.call("events.scalar_metrics_iter_histogram", task=task, samples=0)["m"]["v"]
    assert set(acknowledged) <= set(curve["x"])
    assert len(acknowledged) > 100
    away.sort()
    print(f"away after a kill: median {away[50]:.2f} s, longest {away[-1]:.2f} s")
