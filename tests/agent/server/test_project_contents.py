"""What projects tell of their contents: statistics, children, tags, parameters, metrics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def world(server: Any) -> SimpleNamespace:
    """A project with a child and a hidden child, tasks and models in them."""

    def project(name: str) -> str:
        return server.call("projects.create", name=name, tags=[name.rpartition("/")[2]])["id"]

    top, child = project("stats"), project("stats/child")
    hidden = project("stats/.pipelines/run")
    done = server.task("done", project=top, tags=["one"], hyperparams={
        "Args": {"lr": {"section": "Args", "name": "lr", "value": "0.1"}}})  # fmt: skip
    server.call("tasks.started", task=done)
    server.call("tasks.completed", task=done)
    draft = server.task("draft", project=child, parent=done, tags=["two"], hyperparams={
        "Args": {"lr": {"section": "Args", "name": "lr", "value": "0.2"},
                 "z": {"section": "Args", "name": "z", "value": "1"}}})  # fmt: skip
    old = server.task("old", project=top, tags=["three"], system_tags=["archived"], parent=draft)
    server.task("step", project=hidden, type="controller", system_tags=["pipeline"])
    entry = {"key": "acc", "type": "float", "value": "0.5"}
    model = server.call(
        "models.create", name="m", uri="u", project=child, tags=["of model"], metadata=[entry]
    )["id"]
    server.add({"task": done, "type": "training_stats_scalar", "metric": "loss",
                "variant": "train", "iter": 1, "value": 0.5})  # fmt: skip
    return SimpleNamespace(top=top, child=child, hidden=hidden, done=done, draft=draft, old=old,
                           model=model)  # fmt: skip


def one(server: Any, project: str, **more: Any) -> dict[str, Any]:
    return server.call("projects.get_all_ex", id=[project], **more)["projects"][0]


def test_statistics(server: Any, world: SimpleNamespace) -> None:
    stats = one(server, world.top, include_stats=True)
    active, archived = stats["stats"]["active"], stats["stats"]["archived"]
    assert (active["total_tasks"], archived["total_tasks"]) == (2, 1)
    assert active["status_count"]["completed"] == active["status_count"]["created"] == 1
    assert active["status_count"]["failed"] == 0
    assert active["completed_tasks_24h"] == 1
    assert active["last_task_run"] > 0
    assert [child["name"] for child in stats["sub_projects"]] == ["stats/child"]

    alone = one(server, world.top, include_stats=True, stats_with_children=False)
    assert alone["stats"]["active"]["total_tasks"] == 1
    some = one(server, world.top, include_stats=True, stats_for_state="active",
               include_stats_filter={"status": ["completed"]})  # fmt: skip
    assert list(some["stats"]) == ["active"]
    assert some["stats"]["active"]["total_tasks"] == 1
    everything = one(server, world.top, include_stats=True, search_hidden=True)
    assert everything["stats"]["active"]["total_tasks"] == 3
    assert {"stats/.pipelines", "stats/.pipelines/run"} < {
        child["name"] for child in everything["sub_projects"]
    }
    assert server.refuse("projects.get_all_ex", include_stats=True, stats_for_state="some")


def test_own_contents(server: Any, world: SimpleNamespace) -> None:
    assert one(server, world.top, check_own_contents=True)["own_tasks"] == 1
    child = one(server, world.child, check_own_contents=True)
    assert (child["own_tasks"], child["own_models"]) == (1, 1)


def test_projects_that_hold_something(server: Any, world: SimpleNamespace) -> None:
    def names(**more: Any) -> list[str]:
        found = server.call("projects.get_all_ex", name="^stats", order_by=["name"], **more)
        return [project["name"] for project in found["projects"]]

    assert names(children_type="pipeline") == ["stats"]
    assert names(children_type="pipeline", search_hidden=True) == [
        "stats", "stats/.pipelines", "stats/.pipelines/run",
    ]  # fmt: skip
    assert names(children_type="dataset") == []
    assert server.refuse("projects.get_all_ex", children_type="nothing")
    me = server.call("users.get_current_user")["user"]["id"]
    assert names(active_users=[me]) == ["stats", "stats/child"]
    assert names(active_users=["nobody"]) == []
    assert names(shallow_search=True) == ["stats"]


@pytest.mark.parametrize(
    ("action", "more", "tags"),
    [
        ("projects.get_task_tags", {}, ["one", "three", "two"]),
        ("projects.get_task_tags", {"include_subprojects": False}, ["one", "three"]),
        ("projects.get_task_tags", {"filter": {"system_tags": ["-archived"]}}, ["one", "two"]),
        ("projects.get_model_tags", {}, ["of model"]),
        ("projects.get_project_tags", {}, ["child", "run", "stats"]),
    ],
)
def test_tags(
    server: Any, world: SimpleNamespace, action: str, more: dict[str, Any], tags: list[str]
) -> None:
    answer = server.call(action, projects=[world.top], **more)
    assert answer == {"tags": tags}
    assert "archived" not in answer["tags"]
    assert "system_tags" in server.call(action, projects=[world.top], include_system=True)


def test_hyperparameters(server: Any, world: SimpleNamespace) -> None:
    lr, z = {"section": "Args", "name": "lr"}, {"section": "Args", "name": "z"}
    answer = server.call("projects.get_hyper_parameters", project=world.top)
    assert answer == {"total": 2, "remaining": 0, "parameters": [lr, z]}
    answer = server.call("projects.get_hyper_parameters", project=world.top, page=1, page_size=1)
    assert answer == {"total": 2, "remaining": 0, "parameters": [z]}
    answer = server.call(
        "projects.get_hyper_parameters", project=world.top, include_subprojects=False
    )
    assert answer["parameters"] == [lr]
    answer = server.call("projects.get_hyperparam_values", projects=[world.top], **lr)
    assert answer == {"total": 2, "values": ["0.1", "0.2"]}


def test_metrics_metadata_and_people(server: Any, world: SimpleNamespace) -> None:
    metrics = server.call("projects.get_unique_metric_variants", project=world.top)["metrics"]
    assert [(each["metric"], each["variant"]) for each in metrics] == [("loss", "train")]
    task = server.call("tasks.get_by_id", task=world.done)["task"]
    assert metrics[0]["variant_hash"] in task["last_metrics"][metrics[0]["metric_hash"]]
    keys = server.call("projects.get_model_metadata_keys", project=world.top)
    assert keys == {"total": 1, "remaining": 0, "keys": ["acc"]}
    values = server.call("projects.get_model_metadata_values", projects=[world.top], key="acc")
    assert values == {"total": 1, "values": ["0.5"]}
    users = server.call("projects.get_user_names", projects=[world.top])["users"]
    assert [user["name"] for user in users] == [server.keys["user"]]


def test_parents(server: Any, world: SimpleNamespace) -> None:
    def parents(**more: Any) -> list[str]:
        found = server.call("projects.get_task_parents", projects=[world.top], **more)["parents"]
        assert all(set(parent) == {"id", "name", "project"} for parent in found)
        return [parent["name"] for parent in found]

    assert parents() == ["done"]
    assert parents(tasks_state="archived") == ["draft"]
    assert parents(tasks_state=None) == ["done", "draft"]
    assert parents(include_subprojects=False) == []
    assert server.refuse("projects.get_task_parents", tasks_state="odd")


def test_counts_of_the_organization(server: Any, world: SimpleNamespace) -> None:
    top = {"project": [world.top], "include_subprojects": True}
    answer = server.call(
        "organization.get_entities_count",
        projects={"name": "^stats"}, tasks=top, models=top, pipelines={"name": "^stats"},
        datasets={}, reports={"project": [world.top]},
    )  # fmt: skip
    # Whoever names a project looks into what is hidden below it too.
    assert (answer["projects"], answer["tasks"], answer["models"]) == (2, 4, 1)
    assert (answer["pipelines"], answer["reports"]) == (1, 0)
    assert "dataviews" not in answer
    assert server.call("organization.get_user_companies")["companies"][0]["id"]


def test_a_task_that_changes_its_status_touches_its_project(server: Any) -> None:
    project = server.call("projects.create", name="touched")["id"]
    task = server.task(project=project)
    before = server.call("projects.get_by_id", project=project)["project"]["last_update"]
    server.call("tasks.started", task=task)
    after = server.call("projects.get_by_id", project=project)["project"]["last_update"]
    assert after > before


def test_merging_merges_children_of_one_name(server: Any) -> None:
    for name in ("left/same", "right/same"):
        server.call("projects.create", name=name)
    find = {"order_by": ["name"], "only_fields": ["name"]}
    left, same, right, _ = (
        project["id"]
        for project in server.call("projects.get_all", name="^(left|right)", **find)["projects"]
    )
    task = server.task(project=same)
    answer = server.call("projects.merge", project=left, destination_project=right)
    assert answer == {"moved_entities": 1, "moved_projects": 1}
    found = server.call("projects.get_all", name="^(left|right)", **find)["projects"]
    assert [project["name"] for project in found] == ["right", "right/same"]
    assert server.call("tasks.get_by_id", task=task)["task"]["project"] == found[1]["id"]


def test_deleting_with_contents_tells_the_files(server: Any) -> None:
    project = server.call("projects.create", name="emptied")["id"]
    task = server.task(project=project)
    server.call("tasks.add_or_update_artifacts", task=task,
                artifacts=[{"key": "a", "type": "custom", "uri": "http://f/a"}])  # fmt: skip
    server.call("models.create", name="m", uri="http://f/m", project=project)
    assert server.refuse("projects.delete", project=project)
    answer = server.call("projects.delete", project=project, force=True, delete_contents=True)
    assert (answer["deleted_tasks"], answer["deleted_models"]) == (1, 1)
    assert answer["urls"]["artifact_urls"] == ["http://f/a"]
    assert answer["urls"]["model_urls"] == ["http://f/m"]
    assert server.refuse("tasks.get_by_id", task=task)


def test_sizes_of_datasets(server: Any) -> None:
    project = server.call("projects.create", name="sized/.datasets/d")["id"]
    assert one(server, project, include_dataset_stats=True)["dataset_stats"] is None
    for version in ("1", "2"):
        task = server.task(type="data_processing", system_tags=["dataset"], project=project)
        runtime = {"version": version, "ds_file_count": version, "ds_total_size": 1000}
        server.call("tasks.edit", task=task, runtime=runtime)
    seen = one(server, project, include_dataset_stats=True)
    assert seen["dataset_stats"] == {"file_count": 2, "total_size": 1000}
    above = server.call("projects.get_all_ex", name="^sized$", children_type="dataset")
    assert len(above["projects"]) == 1
