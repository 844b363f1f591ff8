"""The `_ex` actions: ids followed to what they name, and only the fields that were asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def world(server: Any) -> SimpleNamespace:
    """A task with a project, a parent, a queue and models."""
    project = server.call("projects.create", name="refs/one", default_output_destination="s3://b")
    parent = server.task("parent", project=project["id"])
    task = server.task("child", project=project["id"], parent=parent, tags=["refs"])
    model = server.call("models.create", name="net", uri="u", project=project["id"])["id"]
    server.call("tasks.add_or_update_model", task=task, name="in", model=model, type="input")
    server.call("tasks.enqueue", task=task, queue_name="a queue")
    return SimpleNamespace(project=project["id"], parent=parent, task=task, model=model)


def ex(server: Any, world: SimpleNamespace, *only: str) -> dict[str, Any]:
    body = {"only_fields": list(only)} if only else {}
    found = server.call("tasks.get_all_ex", id=[world.task], **body)["tasks"]
    one = server.call("tasks.get_by_id_ex", task=world.task, **body)["task"]
    assert found == [one]
    return one


def test_references_have_names(server: Any, world: SimpleNamespace) -> None:
    task = ex(server, world)
    assert task["project"] == {"id": world.project, "name": "refs/one"}
    assert task["parent"] == {"id": world.parent, "name": "parent"}
    assert task["user"]["name"] == server.keys["user"]
    assert task["company"]["id"]
    assert task["execution"]["queue"]["name"] == "a queue"
    assert task["models"]["input"] == [{"name": "in", "model": {"id": world.model, "name": "net"}}]
    plain = server.call("tasks.get_by_id", task=world.task)["task"]
    assert (plain["project"], plain["models"]["input"][0]["model"]) == (world.project, world.model)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["name", "project.name"], {"name": "child", "project": {"name": "refs/one"}}),
        (["project"], {"project": {"name": "refs/one"}}),
        (["project.id"], {"project": {}}),
        (["project.default_output_destination"],
         {"project": {"default_output_destination": "s3://b"}}),
        (["parent.project.name"], {"parent": {"project": {"name": "refs/one"}}}),
        (["execution.queue.name"], {"execution": {"queue": {"name": "a queue"}}}),
        (["models.input.model.name"], {"models": {"input": [{"model": {"name": "net"}}]}}),
        (["models.input.model.project.name"],
         {"models": {"input": [{"model": {"project": {"name": "refs/one"}}}]}}),
        (["tags", "hyperparams.Args.x"], {"tags": ["refs"], "hyperparams": {}}),
        (["runtime.version"], {"runtime": {}}),
    ],
)  # fmt: skip
def test_projections_go_through_references(
    server: Any, world: SimpleNamespace, only: list[str], expected: dict[str, Any]
) -> None:
    def without_ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_ids(item) for key, item in value.items() if key != "id"}
        return [without_ids(item) for item in value] if isinstance(value, list) else value

    task = ex(server, world, *only)
    assert task["id"] == world.task
    assert without_ids(task) == expected
    if "project" in task:
        assert task["project"]["id"] == world.project


def test_what_is_gone_shows_its_id(server: Any) -> None:
    parent = server.task("to be deleted")
    child = server.task("orphan", parent=parent)
    server.call("tasks.delete", task=parent, force=True)
    assert server.call("tasks.get_by_id_ex", task=child)["task"]["parent"]["id"].endswith(parent)


def test_models_and_projects_too(server: Any, world: SimpleNamespace) -> None:
    model = server.call("models.get_all_ex", id=[world.model])["models"][0]
    assert model["project"]["name"] == "refs/one"
    assert server.call("models.get_by_id_ex", model=world.model)["model"] == model
    project = server.call("projects.get_all_ex", id=[world.project])["projects"][0]
    assert project["name"] == "refs/one"
    assert project["parent"]["name"] == "refs"


def test_hidden_tasks_are_found_where_they_are_looked_for(server: Any) -> None:
    project = server.call("projects.create", name="refs/.pipelines/p")["id"]
    task = server.task("hidden step", project=project)
    name = {"name": "^hidden step$"}

    def ids(**more: Any) -> list[str]:
        return [one["id"] for one in server.call("tasks.get_all_ex", **name, **more)["tasks"]]

    assert ids() == []
    assert ids(search_hidden=True) == ids(project=[project]) == ids(id=[task]) == [task]
    above = server.call("projects.get_all", name="^refs$")["projects"][0]["id"]
    assert ids(project=[above]) == []
    assert ids(project=[above], include_subprojects=True) == [task]
    assert ids(project=[f"-{above}"], include_subprojects=True, search_hidden=True) == []
    assert server.call("tasks.get_all", **name)["tasks"][0]["id"] == task
