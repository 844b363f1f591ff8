"""The calls that the pages of ClearML's web application make, with the bodies they make them with.

Which calls, and how, was read in the application's client code (Apache-2.0) and seen in a browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

TABLE = [
    "id", "type", "name", "started", "completed", "status", "system_tags", "user.id", "user.name",
    "tags", "project.name", "project.id", "last_update", "last_iteration", "parent.name",
    "parent.project.id", "execution.queue.name", "last_metrics", "comment", "active_duration",
]  # fmt: skip
ARCHIVE = {"system_tags": ["-archived", "-pipeline", "-dataset"]}
METRICS = [{"task": "{task}", "metric": "input"}]

PAGES: list[tuple[str, dict[str, Any]]] = [
    # Whatever the page.
    ("login.supported_modes", {}),
    ("users.get_current_user", {"get_supported_features": True}),
    ("users.get_preferences", {}),
    ("users.set_preferences", {"preferences": {"version": 2, "views": {"theme": "dark"}}}),
    ("users.get_all", {"only_fields": ["name", "id", "created"]}),
    ("server.info", {}),
    ("server.report_stats_option", {}),
    ("auth.get_credentials", {}),
    ("organization.get_tags", {"include_system": True}),
    ("organization.get_user_companies", {}),
    ("organization.get_entities_count", {"projects": {}, "tasks": ARCHIVE, "models": {}}),
    # Projects and dashboard.
    ("projects.get_all_ex", {
        "stats_for_state": "active", "include_stats": True, "shallow_search": True, "size": 12,
        "order_by": ["featured", "-last_update"], "scroll_id": None,
        "include_stats_filter": ARCHIVE,
        "only_fields": ["name", "company", "user", "created", "default_output_destination"],
        "stats_with_children": True, "check_own_contents": True, "search_hidden": False,
    }),
    ("projects.get_all_ex", {"id": ["{project}"], "include_stats": True}),
    ("projects.get_all_ex", {"_all_": {"fields": ["basename"], "pattern": "a"}, "page_size": 15}),
    ("projects.get_all_ex", {
        "name": "/\\.pipelines/", "search_hidden": True, "shallow_search": False, "size": 12,
        "system_tags": ["pipeline"], "include_stats": True, "stats_with_children": False,
    }),
    ("projects.get_all_ex", {"system_tags": ["dataset"], "include_dataset_stats": True,
                             "search_hidden": True, "shallow_search": False}),
    ("projects.get_user_names", {"projects": ["{project}"], "include_subprojects": True}),
    ("projects.get_project_tags", {"filter": {"system_tags": ["pipeline"]}}),
    ("projects.get_task_tags", {"projects": ["{project}"]}),
    ("projects.get_model_tags", {"projects": ["{project}"]}),
    ("projects.get_task_parents", {"projects": ["{project}"], "tasks_state": "active"}),
    ("projects.get_hyper_parameters", {"project": "{project}", "include_subprojects": True}),
    ("projects.get_hyperparam_values",
     {"projects": ["{project}"], "section": "Args", "name": "lr"}),
    ("projects.get_unique_metric_variants", {"project": "{project}", "include_subprojects": True}),
    ("projects.get_model_metadata_keys", {"project": "{project}", "include_subprojects": True}),
    ("projects.get_model_metadata_values", {"key": "k", "projects": ["{project}"]}),
    ("projects.validate_delete", {"project": "{project}"}),
    # The table of tasks and its panel.
    ("tasks.get_all_ex", {
        **ARCHIVE, "project": ["{project}"], "order_by": ["-last_update"], "size": 15,
        "scroll_id": None, "refresh_scroll": True, "include_subprojects": True,
        "only_fields": TABLE,
        "type": ["__$not", "annotation_manual", "__$not", "annotation", "__$not", "dataset_import"],
    }),
    ("tasks.get_all_ex", {
        "_any_": {"fields": ["id", "name", "tags", "project.name"], "pattern": "tra"},
        "status": ["in_progress", None], "tags": ["__$or", "best"], "page": 0, "page_size": 5,
        "order_by": ["-last_metrics.{metric}.value", "hyperparams.Args.lr.value", "-name"],
    }),
    ("tasks.get_all_ex", {"id": ["{task}"], "only_fields": ["id", "last_change", "status"]}),
    ("tasks.get_by_id_ex", {"id": ["{task}"], "only_fields": [*TABLE, "artifacts", "script.diff"]}),
    ("tasks.get_types", {"projects": ["{project}"]}),
    ("tasks.get_hyper_params", {"tasks": ["{task}"]}),
    ("tasks.get_configurations", {"tasks": ["{task}"], "names": ["data"]}),
    ("tasks.get_configuration_names", {"tasks": ["{task}"], "skip_empty": False}),
    ("events.get_task_log", {"task": "{task}", "batch_size": 100, "navigate_earlier": True,
                             "from_timestamp": None, "order": "asc"}),
    ("events.get_task_metrics", {"tasks": ["{task}"], "event_type": "training_debug_image"}),
    ("events.get_task_metrics", {"tasks": ["{task}"], "event_type": "plot"}),
    ("events.debug_images", {"metrics": METRICS, "iters": 3, "refresh": True, "scroll_id": None}),
    ("events.get_debug_image_sample", {"task": "{task}", "metric": "input", "variant": "one",
                                       "iteration": 1, "scroll_id": None}),
    ("events.get_task_plots", {"task": "{task}", "iters": 1, "no_scroll": True}),
    ("events.get_plot_sample", {"task": "{task}", "metric": "plot", "variant": "one"}),
    ("events.get_task_single_value_metrics", {"tasks": ["{task}"]}),
    ("events.scalar_metrics_iter_histogram", {"task": "{task}", "key": "iter", "samples": 6000}),
    ("events.scalar_metrics_iter_histogram", {"task": "{task}", "key": "iso_time"}),
    ("events.get_scalar_metrics_and_variants", {"task": "{task}"}),
    # Comparison.
    ("events.multi_task_scalar_metrics_iter_histogram", {"tasks": ["{task}"], "key": "timestamp"}),
    ("events.get_multi_task_plots", {"tasks": ["{task}"], "iters": 1, "no_scroll": True}),
    ("events.get_multi_task_metrics", {"tasks": ["{task}"], "event_type": "plot"}),
    # Models, datasets, reports, pipelines.
    ("models.get_all_ex", {"project": ["{project}"], "size": 15, "scroll_id": None,
                           "order_by": ["-last_update"], "system_tags": ["-archived"]}),
    ("models.get_frameworks", {"projects": ["{project}"]}),
    ("models.get_by_id", {"model": "{model}"}),
    ("reports.get_all_ex", {"size": 12, "order_by": ["-last_update"], "allow_public": False}),
    ("reports.get_tags", {}),
    ("tasks.get_all_ex", {"system_tags": ["__$and", "pipeline", "__$not", "archived"], "size": 15,
                          "search_hidden": True, "type": ["__$or", "controller"]}),
    # Workers and queues.
    ("workers.get_all", {"last_seen": 600}),
    ("workers.get_activity_report", {"from_date": 1, "to_date": 3600, "interval": 60}),
    ("workers.get_stats", {"from_date": 1, "to_date": 3600, "interval": 60, "worker_ids": [],
                           "items": [{"key": "cpu_usage", "category": "avg"}]}),
    ("queues.get_all_ex", {"order_by": ["name"], "only_fields": ["*", "entries.task.name"]}),
    ("queues.get_queue_metrics", {"from_date": 1, "to_date": 3600, "interval": 60,
                                  "queue_ids": ["{queue}"], "refresh": True}),
    ("queues.get_default", {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def shown(server: Any, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server that shows the application, with a task that has reported one of each kind."""
    state = tmp_path_factory.mktemp("calls") / "state"
    running = type(server)(state, "--webapp", str(built))
    project = running.call("projects.create", name="seen")["id"]
    task = running.task(
        "trained", project=project, hyperparams={"Args": {"lr": argument("lr", "1")}}
    )
    stamp = 1_700_000_000_000
    running.add(
        {"type": "training_stats_scalar", "task": task, "metric": "loss", "variant": "train",
         "iter": 1, "value": 0.5, "timestamp": stamp},
        {"type": "training_debug_image", "task": task, "metric": "input", "variant": "one",
         "iter": 1, "url": f"{running.url}/files/one.png", "timestamp": stamp},
        {"type": "plot", "task": task, "metric": "plot", "variant": "one", "iter": 1,
         "plot_str": "{}", "timestamp": stamp},
        {"type": "log", "task": task, "msg": "a line", "timestamp": stamp},
    )  # fmt: skip
    model = running.call("models.create", name="m", uri="file:///m", project=project)["id"]
    queue = running.call("queues.get_all")["queues"][0]["id"]
    running.names = {
        "{task}": task, "{project}": project, "{model}": model, "{queue}": queue,
        "{metric}": "81513effdf5790b79549208838404407.61b3a8faa9c1091806675c230a9abe64",
    }  # fmt: skip
    yield running
    running.stop()


@pytest.fixture
def app(shown: Any) -> Any:
    """The application's session in the browser of the user who runs the server."""
    session = requests.Session()
    session.headers.update({"Origin": shown.url, "X-Clearml-Client": "Webapp-2.5.0-1"})

    def call(action: str, /, **body: Any) -> Any:
        address = f"{shown.url}/api/v999.0/{action}"
        answer = session.post(address, json=named(body, shown.names), timeout=10)
        assert answer.status_code == 200, (action, answer.text)
        found = answer.json()
        assert found["meta"]["result_code"] == 200
        assert found["meta"]["endpoint"]["name"] == action
        assert isinstance(found["data"], dict)
        return found["data"]

    assert call("login.supported_modes")["authenticated"] is True
    return call


def named(value: Any, names: dict[str, str]) -> Any:
    """A body with the ids in place of their names."""
    if isinstance(value, dict):
        return {key: named(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [named(item, names) for item in value]
    if isinstance(value, str):
        for name, identity in names.items():
            value = value.replace(name, identity)
    return value


def argument(name: str, value: str) -> dict[str, str]:
    return {"section": "Args", "name": name, "value": value, "type": "float"}


@pytest.mark.parametrize(
    ("action", "body"), PAGES, ids=[f"{at}-{action}" for at, (action, _) in enumerate(PAGES)]
)
def test_each_call_of_a_page_is_answered(app: Any, action: str, body: dict[str, Any]) -> None:
    app(action, **body)


def test_the_first_act_new_run(app: Any, shown: Any) -> None:
    pipeline = shown.task(
        "pipe #3", type="controller", system_tags=["pipeline"],
        hyperparams={"Args": {"epochs": {**argument("epochs", "3"), "type": "int"}}},
    )  # fmt: skip
    [dialog] = app(
        "tasks.get_all_ex", id=[pipeline], only_fields=["hyperparams.Args", "execution.queue"]
    )["tasks"]
    assert dialog["hyperparams"]["Args"]["epochs"]["value"] == "3"
    started = app(
        "pipelines.start_pipeline", task=pipeline, queue="{queue}", verify_watched_queue=True,
        args=[{"name": "epochs", "value": "5"}],
    )  # fmt: skip
    assert started["enqueued"] is True
    assert started["queue_watched"] is False
    [run] = app("tasks.get_by_id_ex", id=[started["pipeline"]])["tasks"]
    assert run["status"] == "queued"
    assert run["hyperparams"]["Args"]["epochs"]["value"] == "5"


def test_the_other_acts_clone_edit_enqueue(app: Any) -> None:
    clone = app("tasks.clone", task="{task}", new_task_name="c", new_task_project="{project}")["id"]
    app(
        "tasks.edit_hyper_params", task=clone, replace_hyperparams="section",
        hyperparams=[argument("lr", "2"), argument("momentum", "0.9")],
    )  # fmt: skip
    text = {"name": "data", "value": "classes: 2", "type": ""}
    app("tasks.edit_configuration", task=clone, configuration=[text], replace_configuration=False)
    app("tasks.update", task=clone, name="renamed", tags=["mine"], comment="a note")
    app("tasks.edit", task=clone, container={"image": "python:3.12"}, output_dest="s3://bucket")
    answer = app(
        "tasks.enqueue_many", ids=[clone], queue="{queue}", validate_tasks=False,
        verify_watched_queue=True,
    )  # fmt: skip
    assert [item["id"] for item in answer["succeeded"]] == [clone]
    [task] = app("tasks.get_by_id_ex", id=[clone])["tasks"]
    assert (task["status"], task["name"], task["tags"]) == ("queued", "renamed", ["mine"])
    assert {name: item["value"] for name, item in task["hyperparams"]["Args"].items()} == {
        "lr": "2",
        "momentum": "0.9",
    }
    assert task["execution"]["queue"]["name"] == "default"
    app("tasks.stop_many", ids=[clone], include_pipeline_steps=True)
    app("tasks.reset_many", ids=[clone], force=True)
    app("tasks.archive_many", ids=[clone])
    app("tasks.delete_many", ids=[clone], delete_output_models=True, force=True)
