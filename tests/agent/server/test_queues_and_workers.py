"""Queues and the workers that listen to them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.server import clock
from agent.server.credentials import Keys, User
from agent.server.documents import WORKERS
from agent.server.registry import Call
from agent.server.services.workers import forget_silent, get_all
from agent.server.settings import Settings
from agent.server.store import Store


def queue_of(server: Any, name: str) -> str:
    return server.call("queues.create", name=name)["id"]


def waiting(server: Any, queue: str) -> list[str]:
    entries = server.call("queues.get_by_id", queue=queue)["queue"]["entries"]
    return [entry["task"] for entry in entries]


def test_tasks_leave_a_queue_in_the_order_they_came(server: Any) -> None:
    queue = queue_of(server, "in order")
    tasks = [server.task() for _ in range(3)]
    for task in tasks:
        answer = server.call("tasks.enqueue", task=task, queue=queue)
        assert (answer["queued"], answer["updated"]) == (1, 1)
    assert waiting(server, queue) == tasks
    assert server.call("queues.get_num_entries", queue=queue)["num"] == 3
    assert server.call("queues.peek_task", queue=queue)["task"] == tasks[0]
    taken = [server.call("queues.get_next_task", queue=queue, get_task_info=True) for _ in range(3)]
    assert [answer["entry"]["task"] for answer in taken] == tasks
    assert taken[0]["task_info"]["user"]
    assert server.call("queues.get_next_task", queue=queue) == {}
    assert server.refuse("queues.get_next_task", queue="none")["result_subcode"] == 701


def test_a_task_is_on_one_queue_only(server: Any) -> None:
    task = server.task()
    server.call("tasks.enqueue", task=task)
    assert server.refuse("tasks.enqueue", task=task)["result_subcode"] == 110
    other = queue_of(server, "another")
    server.refuse("queues.add_task", queue=other, task=task)
    seen = server.call("tasks.get_by_id", task=task)["task"]
    assert seen["execution"]["queue"] == server.call("queues.get_default")["id"]
    # Starting it by hand takes it off.
    server.call("tasks.started", task=task)
    assert task not in waiting(server, seen["execution"]["queue"])


@pytest.mark.parametrize(
    ("action", "count", "order"),
    [
        ("move_task_forward", None, "0213"),
        ("move_task_forward", 9, "2013"),
        ("move_task_backward", None, "0132"),
        ("move_task_to_front", None, "2013"),
        ("move_task_to_back", None, "0132"),
    ],
)
def test_order(server: Any, action: str, count: int | None, order: str) -> None:
    queue = queue_of(server, f"{action} {count}")
    tasks = [server.task() for _ in range(4)]
    for task in tasks:
        server.call("tasks.enqueue", task=task, queue=queue)
    more = {} if count is None else {"count": count}
    position = server.call(f"queues.{action}", queue=queue, task=tasks[2], **more)["position"]
    assert waiting(server, queue) == [tasks[int(number)] for number in order]
    assert position == order.index("2")
    server.refuse(f"queues.{action}", queue=queue, task="none")


def test_enqueue_by_name_makes_the_queue(server: Any) -> None:
    tasks = [server.task(), server.task()]
    answer = server.call("tasks.enqueue_many", ids=[*tasks, "none"], queue_name="brand new")
    assert [item["id"] for item in answer["succeeded"]] == tasks
    assert answer["failed"][0]["error"]["codes"] == [400, 101]
    queue = server.call("queues.get_all", name="^brand new$")["queues"][0]
    assert [entry["task"] for entry in queue["entries"]] == tasks
    server.refuse("tasks.enqueue", task=tasks[0], queue="none")
    server.refuse("tasks.enqueue", task=tasks[0], queue=queue["id"], queue_name="x")


def test_queues_are_unique_renamed_and_deleted(server: Any) -> None:
    queue = queue_of(server, "first name")
    assert server.refuse("queues.create", name="first name")["result_subcode"] == 801
    assert server.refuse("queues.update", queue=queue, name="default")["result_subcode"] == 801
    assert server.refuse("queues.update", queue=queue, name=" ")["result_subcode"] == 12
    answer = server.call("queues.update", queue=queue, name="second name", tags=["t"])
    assert answer["updated"] == 1
    assert server.call("queues.get_all", tags=["t"])["queues"][0]["name"] == "second name"
    task = server.task()
    server.call("tasks.enqueue", task=task, queue=queue)
    server.refuse("queues.delete", queue=queue)
    server.call("queues.delete", queue=queue, force=True)
    assert server.call("tasks.get_by_id", task=task)["task"]["status"] == "created"
    server.refuse("queues.get_by_id", queue=queue)


def test_queue_listing_and_metadata(server: Any) -> None:
    queue = queue_of(server, "with metadata")
    item = {"key": "k", "type": "str", "value": "v"}
    server.call("queues.add_or_update_metadata", queue=queue, metadata=[item])
    found = server.call("queues.get_all", id=[queue], only_fields=["metadata"])["queues"]
    assert found == [{"id": queue, "metadata": {"k": item}}]
    found = server.call("queues.get_all", id=[queue], only_fields=["id", "entries"])["queues"]
    assert found == [{"id": queue, "entries": []}]
    assert server.call("queues.delete_metadata", queue=queue, keys=["k", "x"])["updated"] == 1


def report(server: Any, worker: str, **more: Any) -> None:
    body = {"worker": worker, "timestamp": int(time.time() * 1000), "machine_stats": None,
            "tags": None, **more}  # fmt: skip
    server.call("workers.status_report", **body)


def worker_of(server: Any, identity: str) -> dict[str, Any] | None:
    found = server.call("workers.get_all")["workers"]
    return next((worker for worker in found if worker["id"] == identity), None)


def test_a_worker_from_registration_to_its_end(server: Any) -> None:
    queue = queue_of(server, "watched")
    server.call("workers.register", worker="w:1", queues=[queue], timeout=600, tags=["gpu"])
    seen = worker_of(server, "w:1")
    assert seen["queues"] == [{"id": queue, "name": "watched", "next_task": None, "num_tasks": 0}]
    age = datetime.now(UTC) - datetime.fromisoformat(seen["last_report_time"])
    assert abs(age.total_seconds()) < 60

    task = server.task("running")
    answer = server.call("tasks.enqueue", task=task, queue=queue, verify_watched_queue=True)
    assert answer["queue_watched"] is True
    assert worker_of(server, "w:1")["queues"][0]["next_task"] == {"id": task, "name": "running"}
    server.call("queues.get_next_task", queue=queue)
    server.call("tasks.started", task=task)
    before = server.call("tasks.get_by_id", task=task)["task"]["last_update"]
    report(server, "w:1", queue=queue, queues=[queue], task=task,
           machine_stats={"cpu_usage": [1.5], "memory_used": 2.5})  # fmt: skip
    seen = worker_of(server, "w:1")
    assert (seen["task"]["id"], seen["task"]["name"]) == (task, "running")
    assert seen["queue"]["id"] == queue
    running = server.call("tasks.get_by_id", task=task)["task"]
    assert running["last_worker"] == "w:1"
    assert running["last_update"] > before
    # A report without a task clears it, and one without queues keeps them.
    report(server, "w:1")
    seen = worker_of(server, "w:1")
    assert "task" not in seen
    assert [item["id"] for item in seen["queues"]] == [queue]
    assert worker_of(server, "w:1")["tags"] == ["gpu"]

    server.call("workers.unregister", worker="w:1")
    assert worker_of(server, "w:1") is None
    other = server.task()
    answer = server.call("tasks.enqueue", task=other, queue=queue, verify_watched_queue=True)
    assert answer["queue_watched"] is False


def test_a_report_of_an_unknown_worker_registers_it(server: Any) -> None:
    report(server, "w:2", queues=[])
    assert worker_of(server, "w:2") is not None
    tagged = server.call("workers.get_all", tags=["nope"])["workers"]
    assert tagged == []


def test_a_worker_that_stays_away_is_gone(server: Any) -> None:
    server.call("workers.register", worker="w:3", timeout=1)
    assert worker_of(server, "w:3") is not None
    time.sleep(1.2)
    assert worker_of(server, "w:3") is None


def test_what_a_long_gone_worker_left_is_removed(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    old, new = "2026-01-01T00:00:00.000000+00:00", clock.now()
    properties = [{"key": "k", "value": "v"}]
    for name, at, noted in (("a", old, []), ("b", old, properties), ("c", new, [])):
        db.insert(WORKERS, {"id": name, "last_report_time": at, "runtime_properties": noted})
    forget_silent(SimpleNamespace(db=db))
    assert [worker["id"] for worker in db.select(WORKERS)] == ["b", "c"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [({}, "b"), ({"last_seen": 60}, ""), ({"last_seen": 0}, "ab"), ({"last_seen": None}, "ab"),
     ({"last_seen": 7200}, "ab"), ({"last_seen": 10**6}, "ab")],
)  # fmt: skip
def test_workers_that_were_seen_lately(tmp_path: Path, body: Any, expected: str) -> None:
    db = Store(tmp_path / "server.db").writer
    # The third is beyond its own time, whatever is asked for.
    for name, age, timeout in (("a", 4000, 9000), ("b", 300, 600), ("c", 700, 600)):
        at = clock.from_seconds(time.time() - age)
        db.insert(WORKERS, {"id": name, "last_report_time": at, "timeout": timeout})
    user = User("", "", "")
    call = Call("workers.get_all", body, db, user, Settings(Path(), Path()), Keys("", "", user, ""))
    assert "".join(worker["id"] for worker in get_all(call)["workers"]) == expected


def test_a_report_counts_when_it_was_made(server: Any) -> None:
    now = int(time.time())
    for at in (now - 5000, (now - 4000) * 1000, now + 10**6):
        report(server, "w:past", timestamp=at, machine_stats={"cpu_usage": [7]})
    body = {"items": [{"key": "cpu_usage"}], "interval": 500, "worker_ids": ["w:past"]}
    stats = server.call("workers.get_stats", from_date=now - 5500, to_date=now + 500, **body)
    dates = stats["workers"][0]["metrics"][0]["dates"]
    assert dates == [now - 5000, now - 4000, now]


def test_runtime_properties(server: Any) -> None:
    def properties() -> dict[str, str]:
        found = server.call("workers.get_runtime_properties", worker="w:4")["runtime_properties"]
        return {item["key"]: item["value"] for item in found}

    assert properties() == {}
    items = [{"key": "force", "value": "on"}, {"key": "other", "value": 5}]
    server.call("workers.set_runtime_properties", worker="w:4", runtime_properties=items)
    assert properties() == {"force": "on", "other": "5"}
    items = [{"key": "force", "value": None}]
    server.call("workers.set_runtime_properties", worker="w:4", runtime_properties=items)
    assert properties() == {"other": "5"}
    server.call("workers.register", worker="w:4")
    assert properties() == {"other": "5"}


def test_a_task_that_was_taken_and_not_begun_is_put_back(server: Any) -> None:
    queue, other = queue_of(server, "taken from"), queue_of(server, "put back on")
    task = server.task()
    server.call("tasks.enqueue", task=task, queue=queue)
    server.call("queues.get_next_task", queue=queue)
    server.call("tasks.enqueue", task=task, queue=other)
    assert waiting(server, other) == [task]
    assert server.call("tasks.dequeue", task=task)["dequeued"] == 1
    assert server.call("tasks.get_by_id", task=task)["task"]["status"] == "created"


def test_force_moves_a_task_from_queue_to_queue(server: Any) -> None:
    queue, other = queue_of(server, "forced from"), queue_of(server, "forced to")
    task = server.task()
    server.call("tasks.enqueue", task=task, queue=queue)
    server.refuse("tasks.enqueue", task=task, queue=other)
    server.call("tasks.enqueue", task=task, queue=other, force=True)
    assert (waiting(server, queue), waiting(server, other)) == ([], [task])
    ended = server.task()
    server.call("tasks.started", task=ended)
    server.call("tasks.completed", task=ended)
    server.refuse("tasks.enqueue", task=ended, queue=other)
    server.call("tasks.enqueue", task=ended, queue=other, force=True)
    assert waiting(server, other) == [task, ended]


def test_a_task_may_wait_elsewhere_than_on_its_own_queue(server: Any) -> None:
    queue, other = queue_of(server, "its own"), queue_of(server, "pending")
    task = server.task()
    said = server.refuse("tasks.enqueue", task=task, queue=other, update_execution_queue=False)
    assert said["result_subcode"] == 12
    server.call("tasks.enqueue", task=task, queue=queue)
    server.call("tasks.enqueue", task=task, queue=other, update_execution_queue=False)
    assert (waiting(server, queue), waiting(server, other)) == ([], [task])
    seen = server.call("tasks.get_by_id", task=task)["task"]
    assert (seen["execution"]["queue"], seen["status"]) == (queue, "queued")


def test_dequeue_to_another_status(server: Any) -> None:
    queue, task = queue_of(server, "straight"), server.task()
    server.call("tasks.enqueue", task=task, queue=queue)
    server.refuse("tasks.dequeue", task=task, new_status="nothing")
    server.call("tasks.dequeue", task=task, new_status="in_progress")
    seen = server.call("tasks.get_by_id", task=task)["task"]
    assert (seen["status"], waiting(server, queue)) == ("in_progress", [])
    assert seen["started"]


def test_only_what_can_run_is_queued_where_that_is_asked_for(server: Any) -> None:
    queue = queue_of(server, "validated")
    code = {"repository": "https://x/y.git", "entry_point": "train.py"}
    runs, alone = server.task(script=code), server.task(script={"diff": "1", "entry_point": "a.py"})
    empty, model = server.task(), server.call("models.create", name="m", uri="file:///m")["id"]
    lost = server.task(script=code, models={"input": [{"name": "m", "model": model}]})
    server.call("models.delete", model=model, force=True)
    ids = [runs, empty, alone, lost]
    answer = server.call("tasks.enqueue_many", ids=ids, queue=queue, validate_tasks=True)
    assert waiting(server, queue) == [runs, alone]
    said = {item["id"]: item["error"]["msg"] for item in answer["failed"]}
    assert "script.entry_point" in said[empty]
    assert "Invalid model id" in said[lost]
    assert len(server.call("tasks.enqueue_many", ids=[empty], queue=queue)["succeeded"]) == 1
