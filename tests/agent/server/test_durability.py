"""What was acknowledged is there after a kill."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import threading
import time
from typing import Any

import psutil
import pytest
import requests


class Writer(threading.Thread):
    """Writes until the server goes away, and remembers what was acknowledged."""

    def __init__(self, server: Any, number: int) -> None:
        super().__init__(daemon=True)
        self.url, self.number = server.url, number
        self.http = requests.Session()
        self.http.auth = server.http.auth
        self.task = ""
        self.points: list[int] = []
        self.renamed = 0
        self.files: dict[str, str] = {}
        self.attempts: set[str] = set()

    def post(self, action: str, **body: Any) -> Any:
        return self.http.post(f"{self.url}/{action}", json=body, timeout=10).json()["data"]

    def run(self) -> None:
        try:
            self.task = self.post("tasks.create", name="0", type="training")["id"]
            self.post("tasks.started", task=self.task)
            for step in range(1_000_000):
                event = {"type": "training_stats_scalar", "task": self.task, "metric": "m",
                         "variant": "v", "iter": step, "value": step}  # fmt: skip
                if self.post("events.add", **event)["added"]:
                    self.points.append(step)
                if self.post("tasks.update", task=self.task, name=f"{step + 1}")["updated"]:
                    self.renamed = step + 1
                name = f"/w{self.number}-{time.monotonic_ns()}.bin"
                data = os.urandom(1000) * random.randrange(1, 3000)
                self.attempts.add(name)
                answer = self.http.post(f"{self.url}/files", files={name: (name, data)}, timeout=10)
                if answer.status_code == 200:
                    self.files[name] = hashlib.sha256(data).hexdigest()
        except (requests.RequestException, KeyError, ValueError):
            return


def series_of_kills(server: Any, kills: int, seconds: float) -> None:
    everything: list[Writer] = []
    sizes: dict[str, str] = {}
    for _ in range(kills):
        writers = [Writer(server, number) for number in range(3)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.3, 1) * seconds)
        server.kill()
        for writer in writers:
            writer.join(timeout=20)
        everything += writers
        started = time.monotonic()
        server.start()
        assert time.monotonic() - started < 30
        assert list((server.state / "incoming").iterdir()) == []
    for writer in everything:
        if not writer.task:
            continue
        task = server.call("tasks.get_by_id", task=writer.task)["task"]
        assert int(task["name"]) in (writer.renamed, writer.renamed + 1)
        curve = server.call("events.scalar_metrics_iter_histogram", task=writer.task, samples=0)
        found = curve["m"]["v"]["x"] if curve else []
        # At most one write was under way when the server died; it may be there or not.
        assert found[: len(writer.points)] == writer.points
        assert len(found) <= len(writer.points) + 1
        for name, digest in writer.files.items():
            data = (server.state / "files" / name.strip("/")).read_bytes()
            assert hashlib.sha256(data).hexdigest() == digest
        sizes |= writer.files
        for name in writer.attempts - writer.files.keys():
            path = server.state / "files" / name.strip("/")
            assert not path.exists() or path.stat().st_size % 1000 == 0
    assert sum(len(writer.points) for writer in everything) > kills
    assert sizes


def test_kills_lose_nothing(start_server: Any) -> None:
    series_of_kills(start_server(), kills=3, seconds=1)


@pytest.mark.slow
def test_a_hundred_kills_lose_nothing(start_server: Any) -> None:
    series_of_kills(start_server(), kills=100, seconds=1.5)


def test_a_restart_keeps_tokens_queues_and_workers(start_server: Any) -> None:
    server = start_server()
    token = server.call("auth.login")["token"]
    task = server.task()
    queue = server.call("queues.create", name="kept")["id"]
    server.call("tasks.enqueue", task=task, queue=queue)
    server.call("workers.register", worker="w", queues=[queue])
    identity = requests.get(f"{server.url}/debug.ping", timeout=10).json()["data"]["state_id"]
    server.kill()
    server.start()
    ping = requests.get(f"{server.url}/debug.ping", timeout=10).json()["data"]
    assert ping["state_id"] == identity
    header = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{server.url}/workers.get_all", headers=header, timeout=10).json()
    assert answer["data"]["workers"][0]["queues"][0]["num_tasks"] == 1
    assert server.call("queues.get_next_task", queue=queue)["entry"]["task"] == task


def test_a_disk_without_room_refuses_writes_and_loses_none(start_server: Any) -> None:
    server = start_server()
    first = server.task("before")
    process = psutil.Process(server.process.pid)
    # No file may grow any more: to the server the same as a disk without room.
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    answer = server.raw("tasks.create", {"name": "no room", "type": "training"})
    assert answer.status_code == 500
    assert "disk" in answer.json()["meta"]["result_msg"]
    assert server.call("tasks.get_by_id", task=first)["task"]["name"] == "before"
    process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    second = server.task("after")
    server.kill()
    server.start()
    found = server.call("tasks.get_all", id=[first, second], order_by=["created"])["tasks"]
    assert [task["name"] for task in found] == ["before", "after"]
    assert server.call("tasks.get_all", name="^no room$")["tasks"] == []
