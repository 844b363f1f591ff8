"""Every action that the SDK's schemas declare is there, answers as declared and minds its fields.

The cases are drawn from the schemas of all versions that the SDK holds (see `test_contract`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from agent.server import contract, services
from agent.server.registry import ACTIONS

services.load()
CONTRACT = contract._contract()
# What the events', queues' and workers' actions answer is tested in files of their own.
OURS = ("tasks", "projects", "models", "pipelines", "organization")
NAMES = [name for name in sorted(CONTRACT) if name.partition(".")[0] in OURS]
WRONG: dict[str, Any] = {
    "text": {"a": 1}, "flag": "maybe", "integer": "many", "number": [1], "table": "text",
    "text*": [["nested"]], "table*": ["text"], "integer*": ["x"],
}  # fmt: skip
counter = itertools.count()


class World:
    """Makes whatever a request needs to be valid."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def task(self, *steps: str) -> str:
        task = self.server.task(hyperparams={"Args": {"x": {"value": "1"}}})
        for step in steps:
            self.server.call(f"tasks.{step}", task=task)
        return task

    def project(self) -> str:
        return self.server.call("projects.create", name=f"p{next(counter)}")["id"]

    def model(self, **more: Any) -> str:
        return self.server.call("models.create", name="m", uri="http://f/m", **more)["id"]

    def body(self, action: str) -> dict[str, Any]:
        """The least that makes the action's request valid."""
        service = action.partition(".")[0]
        make: dict[str, Callable[[], Any]] = {
            "task": lambda: self.task(*BEFORE.get(action.removesuffix("_many"), [])),
            "tasks": lambda: [self.task()],
            "model": self.model,
            "project": self.project,
            "ids": lambda: [self.model() if service == "models" else make["task"]()],
            "name": lambda: f"name {next(counter)}",
            "type": lambda: "output" if action == "tasks.add_or_update_model" else "training",
            "uri": lambda: "http://f/m",
            "section": lambda: "Args",
            "key": lambda: "k",
            "keys": lambda: ["k"],
            "metadata": lambda: [{"key": "k", "type": "str", "value": "v"}],
            "models": lambda: [{"name": "n", "type": "input"}],
            "requirements": lambda: {"pip": "numpy"},
            "artifacts": lambda: [{"key": "a", "type": "custom", "mode": "output"}],
            "hyperparams": lambda: [{"section": "Args", "name": "x", "value": "2"}],
            "configuration": lambda: [
                "c" if action == "tasks.delete_configuration" else {"name": "c", "value": "v"}
            ],
        }
        body = {name: make[name]() for name, kind in CONTRACT[action].items() if kind.endswith("!")}
        return body | MORE.get(action, lambda _: {})(self)


BEFORE = {
    "tasks.completed": ["started"],
    "tasks.stopped": ["started"],
    "tasks.stop": ["started"],
    "tasks.close": ["started"],
    "tasks.publish": ["started", "completed"],
    "tasks.dequeue": ["enqueue"],
}
"""What a task goes through before the action is legal."""


def _model_of_task(world: World) -> dict[str, Any]:
    task = world.task()
    world.server.call("models.update_for_task", task=task, uri="u")
    return {"task": task}


MORE: dict[str, Callable[[World], dict[str, Any]]] = {
    "models.get_by_task_id": _model_of_task,
    "models.update_for_task": lambda world: {"uri": "http://f/m"},
    "tasks.move": lambda world: {"project": world.project()},
    "models.move": lambda world: {"project": world.project()},
    "projects.move": lambda world: {"new_location": f"under {next(counter)}"},
    "projects.merge": lambda world: {"destination_project": world.project()},
}


def test_every_declared_action_has_a_handler() -> None:
    assert sorted(CONTRACT.keys() - ACTIONS.keys()) == []


@pytest.mark.parametrize("action", NAMES)
def test_the_least_valid_request_is_answered_as_declared(server: Any, action: str) -> None:
    if action == "tasks.update_batch":
        task = World(server).task()
        response = server.http.post(
            f"{server.url}/{action}", data=f'{{"task": "{task}", "name": "n"}}\n',
            headers={"Content-Type": "application/json-lines"}, timeout=10,
        )  # fmt: skip
        assert response.json()["data"] == {"updated": 1}
        return
    if action == "tasks.get_configuration_names":
        response = server.http.post(
            f"{server.url}/v2.23/{action}", json=World(server).body(action), timeout=10
        )
        assert list(response.json()["data"]["configurations"]) == ["task", "names"]
        return
    data = server.call(action, **World(server).body(action))  # checks the answer's schema
    assert data.get("failed", []) == []


@pytest.mark.parametrize("action", sorted(CONTRACT))
def test_a_wrong_type_in_any_field_is_refused(server: Any, action: str) -> None:
    for name, kind in CONTRACT[action].items():
        wrong = "no such word" if "|" in kind else WRONG.get(kind.rstrip("!"))
        if wrong is None:
            continue
        meta = server.refuse(action, **{name: wrong})
        assert meta["result_code"] == 400, (action, name, meta)
        assert name in meta["result_msg"] or "missing" in meta["result_msg"], (action, name, meta)


@pytest.mark.parametrize("action", sorted(CONTRACT))
def test_what_must_be_there_is_missed(server: Any, action: str) -> None:
    if any(kind.endswith("!") for kind in CONTRACT[action].values()):
        meta = server.refuse(action)
        assert (meta["result_code"], meta["result_subcode"]) == (400, 12)
        assert "missing" in meta["result_msg"]


@pytest.mark.parametrize("field", ["task", "model", "project"])
@pytest.mark.parametrize("action", NAMES)
def test_an_id_of_nothing_is_told(server: Any, action: str, field: str) -> None:
    if CONTRACT[action].get(field) != "text!" or action == "projects.get_model_metadata_keys":
        return
    body = World(server).body(action) | {field: "no-such-id"}
    meta = server.refuse(action, **body)
    assert "no-such-id" in meta["result_msg"]
    assert meta["result_subcode"] in (101, 201, 401)
