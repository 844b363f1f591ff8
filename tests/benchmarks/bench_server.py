"""What the embedded server does in a second, beside what the machine itself can do.

Run by hand: `python tests/benchmarks/bench_server.py [--tasks 100000] [--points 10000000]`.
Every figure that depends on the disk stands beside a raw copy measured in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import requests

LOSS = hashlib.md5(b"loss").hexdigest()
METRIC = f"last_metrics.{LOSS}.{LOSS}.value"
ROOT = Path(__file__).parents[2]


class Client:
    """One client with a connection of its own."""

    def __init__(self, url: str, keys: dict[str, str]) -> None:
        self.url = url
        self.http = requests.Session()
        auth = (keys["access_key"], keys["secret_key"])
        token = requests.get(f"{url}/auth.login", auth=auth, timeout=10).json()["data"]["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def call(self, action: str, /, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{self.url}/{action}", json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def add(self, lines: bytes) -> None:
        headers = {"Content-Type": "application/json-lines"}
        answer = self.http.post(f"{self.url}/events.add_batch", data=lines, headers=headers,
                                timeout=120)  # fmt: skip
        assert answer.json()["data"]["errors"] == 0, answer.text


def lean(client: Client, action: str, /, **body: Any) -> Callable[[], None]:
    """A call over a connection of its own that costs this side little: clients share one process.

    `requests` takes longer over a call than the server does.
    """
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"), timeout=60)
    text = json.dumps(body).encode()
    headers = {"Authorization": str(client.http.headers["Authorization"]),
               "Content-Type": "application/json"}  # fmt: skip

    def call() -> None:
        connection.request("POST", f"/{action}", text, headers)
        answer = connection.getresponse()
        assert b'"result_code":200' in answer.read()

    return call


def timed(work: Callable[[], Any], count: int) -> list[float]:
    """Seconds that each of `count` runs took."""
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def line(name: str, taken: list[float], more: str = "") -> None:
    """One row of the table, from the seconds that calls took."""
    taken = sorted(taken)
    p99 = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
    print(f"{name:<44}{statistics.median(taken) * 1e3:>9.2f}{p99 * 1e3:>9.2f}  {more}")


def together(make: Callable[[], Callable[[], Any]], clients: int, count: int) -> list[float]:
    """The seconds of each call when several clients call at once."""
    taken: list[float] = []

    def work() -> None:
        taken.extend(timed(make(), count))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def batch(task: str, metric: str, first: int, count: int) -> bytes:
    """Scalar events as JSON lines."""
    event = {"type": "training_stats_scalar", "task": task, "metric": metric, "variant": "v"}
    return "\n".join(
        json.dumps(
            {**event, "iter": step, "value": step / 7, "timestamp": 1_700_000_000_000 + step}
        )
        for step in range(first, first + count)
    ).encode()


def measure(url: str, state: Path, pid: int, tasks: int, points: int) -> None:
    """Print the table."""
    keys = json.loads((state / "credentials.json").read_text())
    client = Client(url, keys)
    print(f"idle memory: {memory(pid)}")
    print(f"{'':<44}{'p50 ms':>9}{'p99 ms':>9}")

    project = client.call("projects.create", name="bench")["id"]
    parameters = {f"p{n}": {"section": "Args", "name": f"p{n}", "value": str(n)} for n in range(60)}
    task = client.call(
        "tasks.create", name="one", type="training", project=project,
        hyperparams={"Args": parameters}, script={"diff": "x" * 5000, "requirements": {"pip": "y"}},
    )["id"]  # fmt: skip
    ping = timed(lambda: requests.get(f"{url}/debug.ping", timeout=10), 200)
    line("debug.ping, a connection each", ping)

    line("debug.ping, 1 client", timed(lambda: client.call("debug.ping"), 1000), "the floor")
    read = timed(lambda: client.call("tasks.get_by_id", task=task), 1000)
    line("tasks.get_by_id, 1 client", read, f"{len(read) / sum(read):.0f}/s")

    def reader() -> Callable[[], Any]:
        return lean(client, "tasks.get_by_id", task=task)

    def pinger() -> Callable[[], Any]:
        return lean(client, "debug.ping")

    start = time.perf_counter()
    line("debug.ping, 8 clients", together(pinger, 8, 250), "the floor")
    start = time.perf_counter()
    read = together(reader, 8, 250)
    line("tasks.get_by_id, 8 clients", read, f"{len(read) / (time.perf_counter() - start):.0f}/s")
    with writing(Client(url, keys), task):
        line("the same beside a writer of batches", together(reader, 8, 250))
    line("tasks.ping", timed(lambda: client.call("tasks.ping", task=task), 500))
    edit = timed(lambda: client.call("tasks.edit", task=task, comment="c", force=True), 500)
    line("tasks.edit", edit)

    step = iter(range(10**9))
    add = timed(lambda: client.add(batch(task, "single", next(step), 1)), 500)
    line("events.add_batch of 1", add, f"{len(add) / sum(add):.0f} events/s")
    bodies = [batch(task, "many", first * 500, 500) for first in range(40)]
    start = time.perf_counter()
    add = timed(lambda: client.add(bodies.pop()), 40)
    line("events.add_batch of 500", add, f"{40 * 500 / sum(add):.0f} events/s")
    rate = bare_inserts(state)
    print(f"{'the same events into a bare SQLite table':<62}  {rate:.0f} events/s")

    files(client, url)

    start = time.perf_counter()
    made = fill(state, client, project, tasks, points)
    print(f"\n{tasks} tasks, {points} points written in {time.perf_counter() - start:.0f} s")
    query = {
        "page": 0,
        "page_size": 50,
        "order_by": ["-last_update"],
        "only_fields": ["id", "name"],
    }
    for name, filters in {
        "newest": {},
        "of a project, not archived": {"project": [made], "system_tags": ["-archived"]},
        "by name": {"name": "^task 77777$"},
        "by part of a name": {"name": "7777"},
        "by a tag that none has": {"tags": ["none"]},
        "by a pattern": {"name": "task 7.*77$"},
        "by a text anywhere": {"search_text": "7777"},
        "of a status": {"status": ["completed"]},
        "of a status, with a tag": {"status": ["completed"], "tags": ["none"]},
        "in the order of creation": {"order_by": ["-created"]},
        "in the order of creation, filtered": {
            "order_by": ["-created"], "status": ["completed"], "tags": ["none"],
            "system_tags": ["-archived"],
        },
        "in the order of status and name": {"order_by": ["status", "-name"]},
        "in the order of a parameter": {"order_by": ["-hyperparams.Args.lr.value"]},
        "in the order of a metric": {"order_by": [METRIC]},
        "in the order of a metric, last page": {"order_by": [METRIC], "page": tasks // 50 - 1},
        "with a parameter's value": {"hyperparams.Args.lr.value": ["0.7"]},
        "with a metric's value in a range": {METRIC: [0.2, 0.2001]},
        "page 1000": {"page": 1000},
        "last page": {"page": tasks // 50 - 1},
    }.items():  # fmt: skip
        listed = {**query, **filters}
        line(f"tasks.get_all {name}", timed(lambda: client.call("tasks.get_all", **listed), 5))  # noqa: B023
    curves = timed(
        lambda: client.call("events.scalar_metrics_iter_histogram", task=made_task(client)), 5
    )
    line("scalar_metrics_iter_histogram", curves, "10 curves of the largest task")
    largest = made_task(client)
    for order in ("asc", "desc"):
        page = timed(lambda: client.call("events.get_task_events", task=largest, batch_size=1000,
                                         event_type="training_stats_scalar",
                                         order=order), 5)  # noqa: B023  # fmt: skip
        line(f"events.get_task_events, {order}", page, "1,000 points by time")
    stats = timed(lambda: client.call("projects.get_all_ex", include_stats=True, page_size=20,
                                      page=0), 5)  # fmt: skip
    line("projects.get_all_ex with statistics", stats)
    line("tasks.get_by_id", timed(lambda: client.call("tasks.get_by_id", task=task), 500))
    print(f"\nserver memory: {memory(pid)}")
    line("back after kill -9", restarts(url, 5))


@contextlib.contextmanager
def writing(client: Client, task: str) -> Iterator[None]:
    """Have batches of 500 scalars written all the while."""
    stop = threading.Event()

    def write() -> None:
        for first in itertools.count(0, 500):
            if stop.is_set():
                return
            client.add(batch(task, "beside", first, 500))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def restarts(url: str, count: int) -> list[float]:
    """Seconds from each of some kills of the server until another answers in its place."""
    taken = []
    for _ in range(count):
        os.kill(serving(url), signal.SIGKILL)
        start = time.perf_counter()
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{url}/debug.ping", timeout=1).ok:
                    break
            time.sleep(0.005)
        taken.append(time.perf_counter() - start)
    return taken


def serving(url: str) -> int:
    """The process that listens at an address."""
    port = int(url.rpartition(":")[2])
    return next(
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    )


def memory(pid: int) -> str:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(row for row in status.splitlines() if row.startswith("VmRSS")).split(":")[1].strip()


def bare_inserts(state: Path) -> float:
    """How many points a second SQLite alone writes, a row each, 500 a transaction."""
    connection = sqlite3.connect(state / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE points (series INT, iter INT, at INT, value REAL, "
                       "PRIMARY KEY (series, iter)) WITHOUT ROWID")  # fmt: skip
    start = time.perf_counter()
    for first in range(0, 20_000, 500):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO points VALUES (1, ?, ?, ?)",
                               [(at, at, at / 7) for at in range(first, first + 500)])  # fmt: skip
        connection.execute("COMMIT")
    taken = time.perf_counter() - start
    connection.close()
    return 20_000 / taken


def made_task(client: Client) -> str:
    """The task with the most points."""
    return client.call("tasks.get_all", name="^task 0$", only_fields=["id"])["tasks"][0]["id"]


def files(client: Client, url: str) -> None:
    """Uploads and downloads, beside a copy that is flushed to the disk."""
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder) / "data", Path(folder) / "copy"
        path.write_bytes(os.urandom(1 << 20) * 256)
        size = path.stat().st_size / 1e6

        def raw() -> None:
            with path.open("rb") as source, copy.open("wb") as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())

        def up() -> None:
            with path.open("rb") as stream:
                client.http.put(f"{url}/files/data", data=stream, timeout=300).raise_for_status()

        def down() -> None:
            with client.http.get(f"{url}/files/data", stream=True, timeout=300) as answer:
                for _ in answer.iter_content(1 << 20):
                    pass

        for name, work in {"raw copy and fsync": raw, "upload": up, "download": down}.items():
            taken = timed(work, 3)
            line(f"{name}, {size:.0f} MB", taken, f"{size / min(taken):.0f} MB/s")


def fill(state: Path, client: Client, project: str, tasks: int, points: int) -> str:
    """Write many tasks and points straight into the store, in the server's own layout."""
    sys.path.insert(0, str(ROOT))
    from agent.server import clock
    from agent.server.documents import TASKS
    from agent.server.events import blocks
    from agent.server.store import Store

    template = client.call("tasks.get_all", project=[project])["tasks"][0]
    sections = template["hyperparams"]
    store = Store(state / "server.db")
    db = store.writer
    first = time.time() - tasks
    for number in range(tasks):
        if number % 5000 == 0:
            db.run("BEGIN")
        moment = clock.from_seconds(first + number)
        status = ("completed", "failed", "created")[number % 3]
        value = number * 7919 % tasks / tasks  # all different, in no order
        rate = {"section": "Args", "name": "lr", "value": repr(round(value, 1))}
        loss = {"metric": "loss", "variant": "loss", "value": value, "iteration": 1}
        db.insert(TASKS, {**template, "id": f"{number:032x}", "name": f"task {number}",
                          "created": moment, "last_update": moment, "status": status,
                          "hyperparams": {"Args": {**sections["Args"], "lr": rate}},
                          "last_metrics": {LOSS: {LOSS: loss}}})  # fmt: skip
        if number % 5000 == 4999 or number == tasks - 1:
            db.run("COMMIT")
    curves = 10
    each = 100_000
    for curve in range(points // each):
        owner = f"{curve // curves:032x}"
        db.run("BEGIN")
        series = db.insert_row("INSERT INTO series (owner, metric, variant) VALUES (?, ?, 'v')",
                               (owner, f"m{curve % curves}"))  # fmt: skip
        blocks.put(db, series, {at: (at, at / 3) for at in range(each)})
        db.run("COMMIT")
    store.close()
    return project


def main() -> None:
    """Start a server in a folder of its own, measure, and end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--power-safe", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        start = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "agent.server", "--state", str(state), "--port", "0",
             "--restart", *(["--power-safe"] if options.power_safe else [])],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        url = server.stdout.readline().split()[1]
        try:
            print(f"start: {time.perf_counter() - start:.2f} s; {os.cpu_count()} cores")
            measure(url, state, server.pid, options.tasks, options.points)
        finally:
            last = psutil.Process(serving(url))
            last.terminate()
            last.wait()
            server.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"server CPU until the first kill: {used.ru_utime + used.ru_stime:.1f} s")


if __name__ == "__main__":
    main()
