"""The life cycle of tasks: what may follow what, and what follows from it."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.server.documents import TASKS
from agent.server.errors import ApiError
from agent.server.services.tasks_status import LEGAL, each
from agent.server.store import Store

REACH = {
    "created": [],
    "queued": ["enqueue"],
    "in_progress": ["started"],
    "stopped": ["started", "stopped"],
    "failed": ["started", "failed"],
    "completed": ["started", "completed"],
    "closed": ["started", "completed", "close"],
    "published": ["started", "completed", "publish"],
}
TO = {
    "started": "in_progress",
    "stopped": "stopped",
    "completed": "completed",
    "failed": "failed",
    "close": "closed",
    "publish": "published",
    "enqueue": "queued",
    "reset": "created",
}
# Written out, so that a change of the table in the code is seen here.
ALLOWED = {
    "started": "created queued in_progress",
    "stopped": "queued in_progress stopped",
    "completed": "in_progress stopped completed",
    "failed": "created queued in_progress stopped failed",
    "close": "in_progress stopped completed failed closed",
    "publish": "stopped failed completed closed published",
    "enqueue": "created stopped failed",
    "reset": "created queued in_progress stopped failed completed closed",
}


def get(server: Any, task: str) -> dict[str, Any]:
    return server.call("tasks.get_by_id", task=task)["task"]


def in_status(server: Any, status: str) -> str:
    task = server.task(f"to be {status}")
    for step in REACH[status]:
        server.call(f"tasks.{step}", task=task)
    assert get(server, task)["status"] == status
    return task


@pytest.mark.parametrize(("action", "status"), itertools.product(ALLOWED, REACH))
def test_transitions(server: Any, action: str, status: str) -> None:
    task = in_status(server, status)
    if status in ALLOWED[action].split():
        answer = server.call(f"tasks.{action}", task=task)
        assert answer["updated"] == 1
        assert answer["fields"]["status"] == TO[action]
        assert get(server, task)["status"] == TO[action]
        return
    meta = server.refuse(f"tasks.{action}", task=task)
    assert meta["result_subcode"] == 110
    assert get(server, task)["status"] == status
    server.call(f"tasks.{action}", task=task, force=True)
    assert get(server, task)["status"] == TO[action]


def test_the_table_and_this_file_agree() -> None:
    named = {"close": "closed"}
    for action, statuses in ALLOWED.items():
        assert LEGAL[named.get(action, action)] == {*statuses.split(), "unknown"} - (
            {"unknown"} - LEGAL[named.get(action, action)]
        )


def test_reasons_times_and_durations(server: Any) -> None:
    task = server.task()
    server.call("tasks.started", task=task, status_reason="because", status_message="pulled")
    running = get(server, task)
    assert (running["status_reason"], running["status_message"]) == ("because", "pulled")
    assert "completed" not in running
    server.call("tasks.started", task=task)
    assert get(server, task)["started"] == running["started"]
    server.call("tasks.completed", task=task, publish=True)
    done = get(server, task)
    assert done["status"] == "published"
    assert done["completed"] >= done["started"]
    assert done["published"] >= done["completed"]
    assert done["status_message"] == ""


def test_a_running_task_is_asked_to_stop_and_keeps_being_asked(server: Any) -> None:
    task = in_status(server, "in_progress")
    server.call("tasks.stop", task=task)
    asked = get(server, task)
    assert (asked["status"], asked["status_message"]) == ("in_progress", "stopping")
    # An agent between the queue and the task's process says that it has started once more.
    server.call("tasks.started", task=task, status_message="launch by agent", force=True)
    assert get(server, task)["status_message"] == "stopping"
    server.call("tasks.stopped", task=task)
    assert get(server, task)["status"] == "stopped"


def test_a_queued_task_is_stopped_at_once_and_a_draft_only_by_force(server: Any) -> None:
    queued, draft = in_status(server, "queued"), in_status(server, "created")
    server.call("tasks.stop", task=queued)
    assert get(server, queued)["status"] == "stopped"
    default = server.call("queues.get_default")["id"]
    entries = server.call("queues.get_by_id", queue=default)["queue"]["entries"]
    assert queued not in [entry["task"] for entry in entries]
    server.refuse("tasks.stop", task=draft)
    answer = server.call("tasks.stop_many", ids=[draft, in_status(server, "in_progress")])
    assert [item["error"]["codes"] for item in answer["failed"]] == [[400, 110]]
    assert len(answer["succeeded"]) == 1


def test_one_of_many_that_fails_changes_nothing(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    call = SimpleNamespace(db=db, texts=lambda _: ["good", "bad"], flag=lambda _: False)

    def work(call: Any, identity: str) -> dict[str, Any]:
        db.insert(TASKS, {"id": identity})
        if identity == "bad":
            raise ApiError("no")
        return {}

    db.run("BEGIN")
    answer = each(call, work)
    db.run("COMMIT")
    assert [item["id"] for item in answer["succeeded"]] == ["good"]
    assert answer["failed"] == [
        {"id": "bad", "error": {"codes": [400, 0], "msg": "no", "data": {}}}
    ]
    assert [task["id"] for task in db.select(TASKS)] == ["good"]


def test_a_ping_is_a_sign_of_life_and_nothing_else(server: Any) -> None:
    task = in_status(server, "in_progress")
    before = get(server, task)
    server.call("tasks.ping", task=task)
    after = get(server, task)
    assert after.pop("last_update") > before.pop("last_update")
    assert after == before
    assert server.refuse("tasks.ping", task="nobody")["result_subcode"] == 101


def test_dequeue_gives_back_the_status_before(server: Any) -> None:
    for status in ("created", "stopped"):
        task = in_status(server, status)
        server.call("tasks.enqueue", task=task)
        server.call("tasks.dequeue", task=task)
        assert get(server, task)["status"] == status
        server.refuse("tasks.dequeue", task=task, new_status="in_progress")


def test_reset_makes_a_task_as_new(server: Any) -> None:
    task = server.task(hyperparams={"Args": {"x": {"section": "Args", "name": "x", "value": "1"}}})
    model = server.call("models.create", uri="file:///w", name="weights", task=task)["id"]
    kept = server.call("models.create", uri="file:///k", name="kept", task=task, ready=True)["id"]
    server.call("tasks.add_or_update_model", task=task, name="w", model=model, type="output")
    server.call("tasks.started", task=task)
    server.call(
        "tasks.add_or_update_artifacts", task=task, force=True,
        artifacts=[{"key": "made", "type": "x", "uri": "http://f/made"},
                   {"key": "given", "type": "x", "mode": "input"}],
    )  # fmt: skip
    server.add(
        {"task": task, "type": "training_stats_scalar", "metric": "m", "variant": "v", "value": 1},
        {"task": task, "type": "training_debug_image", "metric": "m", "variant": "v",
         "url": "http://f/image"},
        {"task": task, "type": "log", "msg": "x"},
    )  # fmt: skip
    server.call("tasks.edit", task=task, force=True, runtime={"a": 1})
    server.call("tasks.completed", task=task)
    answer = server.call("tasks.reset", task=task, return_file_urls=True)
    assert answer["deleted_models"] == 1
    assert answer["urls"] == {
        "model_urls": ["file:///w"],
        "event_urls": ["http://f/image"],
        "artifact_urls": ["http://f/made"],
    }
    fresh = get(server, task)
    assert fresh["status"] == "created"
    assert not {"started", "completed"} & fresh.keys()
    assert fresh["hyperparams"]["Args"]["x"]["value"] == "1"
    assert [item["key"] for item in fresh["execution"]["artifacts"]] == ["given"]
    assert (fresh["last_metrics"], fresh["last_iteration"], fresh["runtime"]) == ({}, 0, {})
    assert fresh["models"]["output"] == []
    assert server.call("events.get_task_log", task=task)["events"] == []
    assert server.call("events.scalar_metrics_iter_histogram", task=task) == {}
    server.refuse("models.get_by_id", model=model)
    assert server.call("models.get_by_id", model=kept)["model"]["ready"] is True


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_what_a_task_and_its_models_reported_goes_with_them(server: Any, action: str) -> None:
    task = server.task()
    model = server.call("models.create", uri="u", name="m", task=task)["id"]
    scalar = {"type": "training_stats_scalar", "metric": "m", "variant": "v", "value": 1}
    before = server.call("server.get_stats")
    server.add({**scalar, "task": task}, {**scalar, "task": model, "model_event": True})
    server.call(f"tasks.{action}", task=task)
    after = server.call("server.get_stats")
    assert [after[name] - before[name] for name in ("scalar_points", "series")] == [0, 0]


def test_delete_takes_along_what_hangs_on_a_task(server: Any) -> None:
    task = server.task()
    child = server.task(parent=task)
    model = server.call("models.create", uri="file:///w", name="weights", task=task)["id"]
    shared = server.call("models.create", uri="file:///s", name="shared", task=task)["id"]
    server.call("tasks.add_or_update_model", task=child, name="s", model=shared, type="input")
    server.refuse("tasks.delete", task=task)
    answer = server.call("tasks.delete", task=task, force=True)
    assert (answer["deleted"], answer["updated_children"], answer["updated_models"]) == (True, 1, 1)
    server.refuse("tasks.get_by_id", task=task)
    server.refuse("models.get_by_id", model=model)
    assert server.call("models.get_by_id", model=shared)["model"]["task"].endswith(task)
    assert get(server, child)["parent"].endswith(task)
    running = in_status(server, "in_progress")
    answer = server.call("tasks.delete_many", ids=[running, child, "nobody"])
    assert [item["id"] for item in answer["succeeded"]] == [child]
    assert [item["error"]["codes"][1] for item in answer["failed"]] == [110, 101]


def test_archiving_takes_a_task_off_its_queue(server: Any) -> None:
    task = in_status(server, "queued")
    server.call("tasks.archive", tasks=[task])
    assert get(server, task)["status"] == "created"
    assert get(server, task)["system_tags"] == ["archived"]
    assert server.call("tasks.unarchive_many", ids=[task])["succeeded"][0]["unarchived"] is True
    assert get(server, task)["system_tags"] == []


def test_a_silent_task_is_stopped_and_a_live_one_is_not(start_server: Any, wait_for: Any) -> None:
    server = start_server("--non-responsive-after", "1.5")
    silent, live, waiting = (server.task(name) for name in ("silent", "live", "waiting"))
    for task in (silent, live):
        server.call("tasks.started", task=task)

    def stopped() -> bool:
        server.call("tasks.ping", task=live)
        return get(server, silent)["status"] == "stopped"

    wait_for(stopped, every=0.1)
    task = get(server, silent)
    assert task["status_reason"] == "Forced stop (non-responsive)"
    assert task["status_message"] == "Forced stop (non-responsive)"
    assert get(server, live)["status"] == "in_progress"
    assert get(server, waiting)["status"] == "created"
    # What ran while the server was down could not report: it is not taken for silent at once.
    server.call("tasks.ping", task=live)
    server.stop()
    time.sleep(1.6)
    server.start()
    assert get(server, live)["status"] == "in_progress"
    wait_for(lambda: get(server, live)["status"] == "stopped")
