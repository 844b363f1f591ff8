"""Pipelines: started anew, under another name too; their runs and steps removed and stopped."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def controller(server: Any, request: Any) -> str:
    """A controller that has run, in a project of its own."""
    name = f"flow of {request.node.name}"
    project = server.call("projects.create", name=f"home/.pipelines/{name}")["id"]
    task = server.task(
        f"{name} #2", type="controller", system_tags=["pipeline"], project=project,
        hyperparams={"Args": {"n": {"section": "Args", "name": "n", "type": "int", "value": "1"}}},
        runtime={"_pipeline_hash": "h"},
    )  # fmt: skip
    server.call("tasks.started", task=task)
    server.call("tasks.completed", task=task)
    return task


def get(server: Any, task: str) -> dict[str, Any]:
    return server.call("tasks.get_by_id_ex", task=task)["task"]


def start(server: Any, task: str, **more: Any) -> dict[str, Any]:
    args = [{"name": "n", "value": "5"}, {"name": "fresh", "value": None}]
    return server.call("pipelines.start_pipeline", task=task, args=args, **more)


def test_a_new_run(server: Any, controller: str) -> None:
    answer = start(server, controller, verify_watched_queue=True)
    assert (answer["enqueued"], answer["queue_watched"]) == (True, False)
    run, old = get(server, answer["pipeline"]), get(server, controller)
    assert run["status"] == "queued"
    assert (run["type"], run["system_tags"]) == ("controller", ["pipeline"])
    assert run["name"] == old["name"].removesuffix(" #2")
    assert run["project"] == old["project"]
    assert run["runtime"] == {}
    arguments = run["hyperparams"]["Args"]
    assert arguments["n"] == {"section": "Args", "name": "n", "type": "int", "value": "5"}
    assert arguments["fresh"]["value"] == ""


def test_a_run_as_another_pipeline(server: Any, controller: str) -> None:
    new = {"new_pipeline_name": "variant", "new_project_name": "other home"}
    assert server.call("pipelines.check_new_run", task=controller, **new)["exists"] is False
    answer = start(server, controller, new_pipeline_version="2.0", **new)
    run = get(server, answer["pipeline"])
    assert answer["new_project"] == run["project"]
    assert run["project"]["name"] == "other home/.pipelines/variant"
    assert run["name"] == "variant"
    assert run["hyperparams"]["properties"]["version"]["value"] == "2.0"
    assert server.call("pipelines.check_new_run", task=controller, **new)["exists"] is True
    here = start(server, controller, new_pipeline_name="beside")
    assert get(server, here["pipeline"])["project"]["name"] == "home/.pipelines/beside"


def test_runs_are_deleted_but_one(server: Any, controller: str) -> None:
    project = get(server, controller)["project"]["id"]
    run = start(server, controller)["pipeline"]
    step = server.task("step", parent=run)
    ids = {"ids": [controller, run], "project": project}
    assert "At least one run" in server.refuse("pipelines.delete_runs", **ids)["result_msg"]
    other = server.task()
    answer = server.call(
        "pipelines.delete_runs", ids=[run, other], project=project, include_pipeline_steps=True
    )
    assert {item["id"] for item in answer["succeeded"]} == {run, step}
    assert [item["id"] for item in answer["failed"]] == [other]
    for gone in (run, step):
        assert server.refuse("tasks.get_by_id", task=gone)["result_subcode"] == 101


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("tasks.stop_many", "status", "stopped"),
        ("tasks.archive_many", "system_tags", ["archived"]),
    ],
)
def test_steps_go_along(server: Any, controller: str, action: str, field: str, value: Any) -> None:
    run = start(server, controller)["pipeline"]
    step, other = server.task("step", parent=run), server.task("no step")
    child = server.task("child", parent=other)
    server.call("tasks.enqueue", task=step)
    body = {"ids": [run, other], "force": True}
    server.call(action, **body, include_pipeline_steps=True)
    assert get(server, step)[field] == value
    assert get(server, child)["status"] == "created"
    assert get(server, child)["system_tags"] == []


def test_renaming_a_hidden_project_renames_what_it_is_about(server: Any, controller: str) -> None:
    project = get(server, controller)["project"]
    other = server.task("unrelated", project=project["id"])
    name = f"{project['name'].rpartition('/')[0]}/renamed by {other}"
    server.call("projects.update", project=project["id"], name=name)
    assert get(server, controller)["name"] == f"renamed by {other} #2"
    assert get(server, other)["name"] == "unrelated"
