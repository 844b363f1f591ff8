"""Queues and workers over time."""

from __future__ import annotations

import time
from typing import Any


def span(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"from_date": now - 600, "to_date": now + 600, "interval": 1200, **more}


def test_the_length_of_a_queue_over_time(server: Any) -> None:
    queue = server.call("queues.create", name="measured")["id"]
    tasks = [server.task() for _ in range(3)]
    for task in tasks:
        server.call("tasks.enqueue", task=task, queue=queue)
    found = server.call("queues.get_queue_metrics", **span(queue_ids=[queue]))["queues"][0]
    assert found["queue"] == queue
    assert len(found["dates"]) == len(found["avg_waiting_times"]) == 1
    assert found["queue_lengths"][0] in (1, 2, 3)
    assert 0 <= found["avg_waiting_times"][0] < 60
    for task in tasks:
        server.call("tasks.dequeue", task=task)
    later = server.call("queues.get_queue_metrics", **span(queue_ids=[queue], interval=1))
    assert later["queues"][0]["queue_lengths"][-1] == 0
    assert later["queues"][0]["dates"] == sorted(later["queues"][0]["dates"])
    together = server.call("queues.get_queue_metrics", **span(refresh=True))["queues"]
    assert [entry["queue"] for entry in together] == ["all"]
    for wrong in ({"interval": 0}, {"from_date": 5, "to_date": 5}, {"from_date": 0, "interval": 1}):
        server.refuse("queues.get_queue_metrics", **span(**wrong))


def test_queues_with_their_tasks_and_workers(server: Any) -> None:
    queue = server.call("queues.create", name="looked at")["id"]
    task = server.task("a name")
    server.call("tasks.enqueue", task=task, queue=queue)
    server.call("workers.register", worker="onlooker", queues=[queue])
    found = server.call("queues.get_all_ex", id=[queue])["queues"][0]
    assert found["entries"][0]["task"] == {"id": task, "name": "a name"}
    assert [worker["name"] for worker in found["workers"]] == ["onlooker"]
    assert server.call("queues.clear_queue", queue=queue)["removed_tasks"] == [task]
    assert server.call("tasks.get_by_id", task=task)["task"]["status"] == "created"


def test_hidden_queues_are_found_by_those_who_ask(server: Any) -> None:
    server.call("queues.create", name="unseen", system_tags=["hidden"])

    def names(**more: Any) -> list[str]:
        return [queue["name"] for queue in server.call("queues.get_all", **more)["queues"]]

    assert "unseen" not in names()
    assert "unseen" in names(search_hidden=True)
    assert names(name="^unseen$") == ["unseen"]


def report(server: Any, worker: str, **stats: Any) -> None:
    server.call("workers.status_report", worker=worker, timestamp=int(time.time()),
                machine_stats=stats or None)  # fmt: skip


def test_what_machines_reported(server: Any) -> None:
    report(server, "gauge", cpu_usage=[10, 30], memory_used=100, gpu_usage=[50])
    keys = {
        entry["name"]: entry["metric_keys"]
        for entry in server.call("workers.get_metric_keys", worker_ids=["gauge"])["categories"]
    }
    assert keys == {"cpu": ["cpu_usage"], "gpu": ["gpu_usage"], "memory": ["memory_used"]}
    items = [{"key": "cpu_usage", "category": kind} for kind in ("avg", "max", "min")]
    wanted = span(worker_ids=["gauge"], items=[*items, {"key": "memory_used"}])
    metrics = server.call("workers.get_stats", **wanted)["workers"][0]["metrics"]
    assert {m["metric"]: {s["aggregation"]: s["values"] for s in m["stats"]} for m in metrics} == {
        "cpu_usage": {"avg": [20], "max": [30], "min": [10]}, "memory_used": {"avg": [100]},
    }  # fmt: skip
    split = server.call("workers.get_stats", **wanted, split_by_variant=True)["workers"][0]
    assert [m["variant"] for m in split["metrics"] if m["metric"] == "cpu_usage"] == ["0", "1"]
    server.refuse("workers.get_stats", **span(items=[{"key": "x", "category": "sum"}]))


def test_what_has_just_been_reported_counts(server: Any) -> None:
    queue = server.call("queues.create", name="just now")["id"]
    server.call("tasks.enqueue", task=server.task(), queue=queue)
    report(server, "just now", cpu_usage=[10])
    until = time.time()
    for end in (until, int(until)):
        asked = {"from_date": end - 20, "to_date": end, "interval": 10}
        found = server.call("workers.get_activity_report", **asked)["total"]
        assert (len(found["counts"]), found["counts"][-1] >= 1) == (2, True)
        wanted = {"items": [{"key": "cpu_usage"}], "worker_ids": ["just now"]}
        [metric] = server.call("workers.get_stats", **asked, **wanted)["workers"][0]["metrics"]
        assert metric["dates"] == [int(asked["from_date"]) + 10]
        queues = server.call("queues.get_queue_metrics", **asked, queue_ids=[queue])["queues"]
        assert queues[0]["queue_lengths"] == [1]


def test_how_many_workers_were_there(server: Any) -> None:
    report(server, "busy")
    found = server.call("workers.get_activity_report", **span())
    assert found["total"]["counts"][0] >= 1
    assert len(found["active"]["dates"]) == 1
    assert server.call("workers.get_count", worker_pattern="^busy$")["count"] == 1
    assert server.call("workers.get_count", worker_pattern="^none$")["count"] == 0
