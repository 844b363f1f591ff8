"""Every declared action of events, queues, workers and auth: there, and answering as declared."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from agent.server import contract, services
from agent.server.registry import ACTIONS

services.load()
CONTRACT = contract._contract()
OURS = ("events", "queues", "workers", "auth")
NAMES = [name for name in sorted(CONTRACT) if name.partition(".")[0] in OURS]
UNDECLARED = (
    "auth.validate_token", "auth.create_token", "events.get_multi_task_metrics",
    "queues.get_all_ex", "queues.clear_queue", "workers.get_all_ex", "workers.get_count",
    "workers.get_runtime_properties", "workers.set_runtime_properties", "server.info",
    "server.config", "server.endpoints", "server.get_stats", "server.report_stats_option",
)  # fmt: skip
WRONG: dict[str, Any] = {
    "text": {"a": 1}, "flag": "maybe", "integer": "many", "number": [1], "table": "text",
    "text*": [["nested"]], "table*": ["text"],
}  # fmt: skip


counter = itertools.count()


@pytest.fixture(scope="module")
def world(server: Any) -> dict[str, Any]:
    """A task with events of every kind, a queue that holds it, a worker, credentials."""
    task, model = server.task(), server.call("models.create", name="m", uri="u")["id"]
    at = {"task": task, "metric": "m", "variant": "v", "iter": 1}
    server.add(
        {**at, "type": "training_stats_scalar", "value": 1},
        {**at, "type": "training_stats_vector", "values": [1, 2]},
        {**at, "type": "training_debug_image", "url": "http://f/1.png"},
        {**at, "type": "plot", "plot_str": "{}"},
        {"type": "log", "task": task, "msg": "a line"},
    )
    queue = server.call("queues.create", name="inventory")["id"]
    server.call("tasks.enqueue", task=task, queue=queue)
    server.call("workers.register", worker="inventory", queues=[queue])
    sample = {"task": task, "metric": "m", "variant": "v"}
    return {
        "task": task,
        "tasks": [task],
        "model": model,
        "queue": queue,
        "worker": "inventory",
        "metric": "m",
        "variant": "v",
        "name": "of the inventory",
        "keys": ["k"],
        "metadata": [{"key": "k", "type": "str", "value": "v"}],
        "metrics": [{"task": task, "metric": "m"}],
        "from_date": 1_700_000_000,
        "to_date": 1_700_000_600,
        "interval": 60,
        "items": [{"key": "cpu_usage", "category": "avg"}],
        "timestamp": 1_700_000_000,
        "access_key": "none",
        "image": server.call("events.get_debug_image_sample", **sample)["scroll_id"],
        "plot": server.call("events.get_plot_sample", **sample)["scroll_id"],
    }


def free_task(server: Any, _: dict[str, Any]) -> dict[str, Any]:
    return {"task": server.task()}


def queued_task(server: Any, world: dict[str, Any]) -> dict[str, Any]:
    task = server.task()
    server.call("tasks.enqueue", task=task, queue=world["queue"])
    return {"task": task}


MORE: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "events.add": lambda server, _: {
        "type": "log", "task": server.task(), "msg": "x",
    },
    "events.add_batch": lambda server, _: {"type": "log", "task": server.task(), "msg": "x"},
    "events.next_debug_image_sample": lambda _, world: {"scroll_id": world["image"]},
    "events.next_plot_sample": lambda _, world: {"scroll_id": world["plot"]},
    "events.clear_scroll": lambda _, world: {"scroll_id": world["image"]},
    "events.get_scalar_metric_data": lambda _, world: {"task": world["task"]},
    "events.scalar_metrics_iter_raw": lambda _, __: {"metric": {"metric": "m"}},
    "events.delete_for_task": free_task,
    "queues.add_task": free_task,
    "events.clear_task_log": free_task,
    "queues.remove_task": queued_task,
    "queues.move_task_backward": queued_task,
    "queues.move_task_forward": queued_task,
    "queues.move_task_to_back": queued_task,
    "queues.move_task_to_front": queued_task,
    "queues.delete": lambda server, _: {
        "queue": server.call("queues.create", name=f"goes {next(counter)}")["id"]
    },
    "auth.revoke_credentials": lambda _, world: {"access_key": world["access_key"]},
}  # fmt: skip


def body(server: Any, world: dict[str, Any], action: str) -> dict[str, Any]:
    """The least that makes an action's request valid."""
    needed = {n: world.get(n) for n, kind in CONTRACT[action].items() if kind.endswith("!")}
    return needed | MORE.get(action, lambda _, __: {})(server, world)


def test_every_action_has_a_handler() -> None:
    assert [name for name in (*NAMES, *UNDECLARED) if name not in ACTIONS] == []


@pytest.mark.parametrize("action", NAMES)
def test_the_least_valid_request_is_answered_as_declared(
    server: Any, world: dict[str, Any], action: str
) -> None:
    if action == "events.download_task_log":
        answer = server.raw(action, {"task": world["task"]})
        assert answer.ok
        assert answer.text.endswith("a line\n")
        return
    server.call(action, **body(server, world, action))  # checks the answer's schema


@pytest.mark.parametrize("action", NAMES)
def test_a_wrong_type_in_any_field_is_refused(
    server: Any, world: dict[str, Any], action: str
) -> None:
    for name, kind in CONTRACT[action].items():
        wrong = WRONG.get(kind.rstrip("!"))
        if wrong is not None:
            meta = server.refuse(action, **{**body(server, world, action), name: wrong})
            assert meta["result_code"] == 400
            assert name in meta["result_msg"], (action, name, meta)


@pytest.mark.parametrize("action", NAMES)
def test_what_must_be_there_is_missed(server: Any, action: str) -> None:
    if any(kind.endswith("!") for kind in CONTRACT[action].values()):
        meta = server.refuse(action)
        assert (meta["result_code"], meta["result_subcode"]) == (400, 12)


@pytest.mark.parametrize("field", ["task", "tasks", "model", "queue"])
@pytest.mark.parametrize("action", NAMES)
def test_an_id_of_nothing_is_told(
    server: Any, world: dict[str, Any], action: str, field: str
) -> None:
    kind = CONTRACT[action].get(field, "")
    if not kind.endswith("!") or action == "workers.status_report":
        return
    wrong = ["no-such-id"] if field == "tasks" else "no-such-id"
    meta = server.refuse(action, **{**body(server, world, action), field: wrong})
    assert "no-such-id" in meta["result_msg"]
    assert meta["result_subcode"] in (101, 201, 701, 704)


def test_what_no_schema_declares_is_answered(server: Any) -> None:
    assert server.call("server.info")["endpoints_version"] == "2.31"
    assert "events.add" in server.call("server.endpoints")["endpoints"]
    assert server.call("server.report_stats_option")["enabled"] is False
    assert server.call("server.get_stats")["tasks"]["total"] >= 1
    assert server.keys["secret_key"] not in str(server.call("server.config"))
    token = server.call("auth.create_token", expiration_sec=60)["token"]
    user = server.call("users.get_current_user")["user"]
    assert server.call("auth.validate_token", token=token) == {
        "valid": True, "msg": "OK", "user": user["id"], "company": user["company"]["id"],
    }  # fmt: skip
    assert server.call("auth.validate_token", token=token[:-3])["valid"] is False
    assert server.call("auth.logout") == {}
