"""Making, editing, cloning and finding tasks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

ITEM = {"section": "Args", "name": "lr", "value": "0.1", "type": "float"}


def get(server: Any, task: str) -> dict[str, Any]:
    return server.call("tasks.get_by_id", task=task)["task"]


def test_a_new_task_has_what_clients_read_without_asking(server: Any) -> None:
    task = get(server, server.task("fresh", tags=["a", "a"], output_dest="http://there"))
    assert task["status_message"] == ""
    assert task["tags"] == ["a"]
    assert task["output"] == {"destination": "http://there"}
    for section in ("runtime", "hyperparams", "configuration", "script", "container"):
        assert task[section] == {}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"type": "training"},
        {"name": "", "type": "training"},
        {"name": 5, "type": "training"},
        {"name": "x", "type": "cooking"},
        {"name": "x", "type": "training", "project": "nowhere"},
        {"name": "x", "type": "training", "tags": [1]},
        {"name": "x", "type": "training", "hyperparams": []},
        {"name": "\ud800", "type": "training"},
    ],
)
def test_a_wrong_field_is_refused(server: Any, body: dict[str, Any]) -> None:
    assert server.refuse("tasks.create", **body)["result_code"] == 400


def test_edit_merges_some_sections_and_replaces_others(server: Any) -> None:
    task = server.task(
        script={"diff": "d", "branch": "b"}, execution={"queue": "q"}, runtime={"a": 1, "b": 2}
    )
    server.call("tasks.edit", task=task, script={"branch": "c"}, runtime={"a": 3}, comment="new")
    seen = get(server, task)
    assert seen["script"] == {"diff": "d", "branch": "c"}
    assert seen["execution"] == {"artifacts": [], "queue": "q"} or seen["execution"] == {
        "queue": "q"
    }
    assert seen["runtime"] == {"a": 3}
    assert seen["comment"] == "new"
    server.call("tasks.started", task=task)
    assert server.refuse("tasks.edit", task=task, comment="x")["result_subcode"] == 110
    server.call("tasks.edit", task=task, comment="x", force=True)
    server.call("tasks.update", task=task, name="renamed", tags=["t"])
    assert get(server, task)["name"] == "renamed"


def test_hyperparameters(server: Any) -> None:
    task = server.task()

    def edit(items: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        server.call("tasks.edit_hyper_params", task=task, hyperparams=items, **more)
        return get(server, task)["hyperparams"]

    assert edit([ITEM, {**ITEM, "name": "a.b"}]) == {
        "Args": {"lr": ITEM, "a.b": {**ITEM, "name": "a.b"}}
    }
    # An edit keeps what it doesn't name, of the item and of the section.
    changed = edit([{"section": "Args", "name": "lr", "value": "0.2"}])["Args"]
    assert changed["lr"] == {**ITEM, "value": "0.2"}
    assert "a.b" in changed
    assert list(edit([ITEM], replace_hyperparams="section")["Args"]) == ["lr"]
    other = {**ITEM, "section": "Other"}
    assert list(edit([other])) == ["Args", "Other"]
    assert list(edit([other], replace_hyperparams="all")) == ["Other"]
    listed = server.call("tasks.get_hyper_params", tasks=[task])["params"]
    assert listed == [{"task": task, "hyperparams": [other]}]
    key = {"section": "Other", "name": "lr"}
    assert server.call("tasks.delete_hyper_params", task=task, hyperparams=[key])["deleted"] == 1
    assert server.call("tasks.delete_hyper_params", task=task, hyperparams=[key])["deleted"] == 0
    assert get(server, task)["hyperparams"] == {}
    # Once the task runs it takes force, but user properties are always open.
    server.call("tasks.started", task=task)
    server.refuse("tasks.edit_hyper_params", task=task, hyperparams=[ITEM])
    assert list(edit([ITEM], force=True)) == ["Args"]
    assert list(edit([{**ITEM, "section": "properties"}])) == ["Args", "properties"]


def test_configurations(server: Any) -> None:
    task = server.task()
    items = [{"name": "a", "value": "1", "type": "json"}, {"name": "b", "value": ""}]
    server.call("tasks.edit_configuration", task=task, configuration=items)
    found = server.call("tasks.get_configurations", tasks=[task], names=["a"])["configurations"]
    assert found == [{"task": task, "configuration": [items[0]]}]
    server.call("tasks.edit_configuration", task=task, configuration=[{"name": "a", "value": "2"}])
    assert get(server, task)["configuration"]["a"] == {**items[0], "value": "2"}
    assert server.raw("tasks.get_configuration_names", {"tasks": [task]}).json()["data"] == {
        "configurations": [{"task": task, "names": ["a"]}]
    }
    server.call("tasks.delete_configuration", task=task, configuration=["a", "none"])
    assert list(get(server, task)["configuration"]) == ["b"]


def test_artifacts(server: Any) -> None:
    task = server.task()

    def add(*items: dict[str, Any]) -> list[dict[str, Any]]:
        server.call("tasks.add_or_update_artifacts", task=task, artifacts=list(items))
        return get(server, task)["execution"]["artifacts"]

    add({"key": "a", "type": "x", "uri": "1"}, {"key": "a", "type": "x", "mode": "input"})
    found = add({"key": "a", "type": "x", "uri": "2"}, {"key": "b", "type": "x"})
    assert [(item["key"], item["mode"], item.get("uri")) for item in found] == [
        ("a", "output", "2"), ("a", "input", None), ("b", "output", None),
    ]  # fmt: skip
    assert server.call("tasks.delete_artifacts", task=task, artifacts=[{"key": "a"}])["deleted"]
    assert len(get(server, task)["execution"]["artifacts"]) == 2
    server.refuse("tasks.add_or_update_artifacts", task=task, artifacts=[{"type": "x"}])


def test_a_clone_has_the_settings_and_none_of_the_results(server: Any) -> None:
    project = server.call("projects.create", name="clones")["id"]
    task = server.task(
        "original", project=project, tags=["t"], system_tags=["s"], comment="c",
        script={"diff": "d", "repository": "r"}, container={"image": "i"},
        hyperparams={"Args": {"lr": ITEM}}, configuration={"a": {"name": "a", "value": "1"}},
        execution={"artifacts": [{"key": "k", "type": "t"}], "queue": "q", "framework": "f"},
        output_dest="http://there",
    )  # fmt: skip
    server.call("tasks.edit", task=task, runtime={"_pipeline_hash": "h"})
    server.call("tasks.started", task=task)
    event = {"type": "training_stats_scalar", "metric": "m", "variant": "v", "iter": 3, "value": 1}
    server.add({**event, "task": task})
    answer = server.raw(
        "tasks.clone",
        {"task": task, "new_task_name": "copy", "execution_overrides": {"framework": "g"},
         "script_overrides": {"diff": "e"}, "new_project_name": "clones/more"},
    ).json()["data"]  # fmt: skip
    assert answer["new_project"]["name"] == "clones/more"
    clone = get(server, answer["id"])
    assert clone["project"] == answer["new_project"]["id"]
    assert (clone["name"], clone["status"], clone["comment"]) == ("copy", "created", "c")
    assert (clone["tags"], clone["system_tags"]) == (["t"], [])
    assert clone["script"] == {"diff": "e", "repository": "r"}
    assert clone["execution"] == {"framework": "g", "artifacts": []}
    assert clone["hyperparams"] == {"Args": {"lr": ITEM}}
    assert clone["configuration"]["a"]["value"] == "1"
    assert clone["container"] == {"image": "i"}
    assert clone["output"] == {"destination": "http://there"}
    assert (clone["runtime"], clone["last_metrics"], clone["last_iteration"]) == ({}, {}, 0)


def test_pages_and_scrolls_show_each_task_once(server: Any) -> None:
    project = server.call("projects.create", name="many")["id"]
    made = [server.task(f"task {number}", project=project) for number in range(7)]
    query = {"project": [project], "only_fields": ["id"], "order_by": ["name"]}
    pages = [
        [
            task["id"]
            for task in server.call("tasks.get_all", **query, page=page, page_size=3)["tasks"]
        ]
        for page in range(4)
    ]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [task for page in pages for task in page] == made
    # A page has 500 tasks unless the request says otherwise.
    rests = [server.call("tasks.get_all", **query, page=page)["tasks"] for page in (0, 1)]
    assert [len(rest) for rest in rests] == [7, 0]
    seen: list[str] = []
    scroll: dict[str, Any] = {"size": 3}
    while True:
        answer = server.call("tasks.get_all", **query, **scroll)
        if not answer["tasks"]:
            break
        seen += [task["id"] for task in answer["tasks"]]
        scroll = {"scroll_id": answer["scroll_id"], "size": 3}
    assert seen == made
    again = server.call("tasks.get_all", **query, **scroll, refresh_scroll=True)
    assert len(again["tasks"]) == 7
    server.refuse("tasks.get_all", scroll_id="nonsense")
    server.refuse("tasks.get_all", page=-1, page_size=1)


def test_tasks_in_hidden_projects_are_found(server: Any) -> None:
    project = server.call("projects.create", name="p/.pipelines/x", system_tags=["hidden"])["id"]
    task = server.task(project=project)
    found = server.call("tasks.get_all", id=[task], search_hidden=False)["tasks"]
    assert [item["id"] for item in found] == [task]


def test_a_new_tasks_parent_must_be_there(server: Any) -> None:
    for action in ("tasks.create", "tasks.validate"):
        said = server.refuse(action, name="n", type="training", parent="no-such-id")
        assert said["result_subcode"] == 16
    # A task that is imported brings the parent that it had elsewhere.
    task = server.task()
    server.call("tasks.edit", task=task, parent="of-another-server")
    assert get(server, task)["parent"] == "of-another-server"


def test_moving_and_types(server: Any) -> None:
    task = server.task(type="qc")
    answer = server.call("tasks.move", ids=[task], project_name="moved/here")
    project = get(server, task)["project"]
    assert server.call("projects.get_by_id", project=project)["project"]["name"] == "moved/here"
    assert answer == {"project_id": project}
    assert server.call("tasks.get_types", projects=[project])["types"] == ["qc"]
    assert "qc" in server.call("tasks.get_types")["types"]
    # The root has to be asked for: what names no place at all is a mistake.
    for action, ids in (("tasks.move", [task]), ("models.move", [])):
        assert server.refuse(action, ids=ids)["result_subcode"] == 12
    assert get(server, task)["project"] == project
    server.call("tasks.move", ids=[task], project=None)
    assert "project" not in get(server, task)


def test_a_batch_of_updates(server: Any) -> None:
    tasks = [server.task(), server.task()]
    lines = "\n".join(f'{{"task": "{task}", "name": "renamed"}}' for task in tasks)
    response = server.http.post(
        f"{server.url}/tasks.update_batch",
        data=lines,
        headers={"Content-Type": "application/json-lines"},
        timeout=10,
    )
    assert response.json()["data"] == {"updated": 2}
    assert {get(server, task)["name"] for task in tasks} == {"renamed"}


def test_a_clone_takes_every_override(server: Any) -> None:
    models = [server.call("models.create", name=name, uri="u")["id"] for name in "ab"]
    parent = server.task("parent")
    task = server.task("original", hyperparams={"Args": {"lr": ITEM}}, tags=["t"])
    server.call("tasks.add_or_update_model", task=task, name="in", model=models[0], type="input")
    other = server.call("projects.create", name="clones elsewhere")["id"]
    changes = {
        "new_task_name": "n", "new_task_comment": "c", "new_task_tags": ["x"],
        "new_task_system_tags": ["y"], "new_task_parent": parent, "new_task_project": other,
        "new_task_hyperparams": {"A": {"b": {"value": "1"}}},
        "new_task_configuration": {"g": {"value": "v"}},
        "new_task_container": {"image": "i"},
        "new_task_input_models": [{"name": "in", "model": models[1]}],
    }  # fmt: skip
    clone = get(server, server.call("tasks.clone", task=task, **changes)["id"])
    assert (clone["name"], clone["comment"], clone["tags"]) == ("n", "c", ["x"])
    assert (clone["system_tags"], clone["parent"], clone["project"]) == (["y"], parent, other)
    assert clone["hyperparams"] == {"A": {"b": {"section": "A", "name": "b", "value": "1"}}}
    assert clone["configuration"] == {"g": {"name": "g", "value": "v"}}
    assert clone["container"] == {"image": "i"}
    assert clone["models"]["input"] == [{"name": "in", "model": models[1]}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_task_parent": "no-such-id"},
        {"new_task_project": "no-such-id"},
        {"new_task_input_models": [{"name": "in", "model": "no-such-id"}]},
        {"new_task_hyperparams": {"A": "text"}},
        {"new_task_hyperparams": {"A": {"b": "text"}}},
        {"new_task_configuration": {"g": "text"}},
    ],
)
def test_a_clone_with_a_wrong_override_is_refused(server: Any, wrong: dict[str, Any]) -> None:
    assert server.refuse("tasks.clone", task=server.task(), **wrong)["result_code"] == 400


def test_references_are_checked_when_that_is_asked_for(server: Any) -> None:
    model = server.call("models.create", name="gone", uri="u")["id"]
    task = server.task()
    server.call("tasks.add_or_update_model", task=task, name="in", model=model, type="input")
    server.call("models.delete", model=model, force=True)
    assert server.call("tasks.clone", task=task)["id"]
    meta = server.refuse("tasks.clone", task=task, validate_references=True)
    assert model in meta["result_msg"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"execution": {"artifacts": 5}},
        {"execution": {"artifacts": [5]}},
        {"execution": {"artifacts": [{"key": "a", "uri": 5}]}},
        {"execution": {"queue": {}}},
        {"models": {"output": 5}},
        {"models": {"input": [5]}},
        {"models": {"output": [{"name": "n", "model": [1]}]}},
        {"models": {"input": [{"name": "n"}]}},
        {"input": {"view": {"entries": "text"}}},
        {"input": {"view": {"entries": ["text"]}}},
        {"input": {"view": {"entries": [{"dataset": 5}]}}},
    ],
)
def test_lists_that_later_calls_go_through_are_checked(server: Any, wrong: dict[str, Any]) -> None:
    task = server.task()
    for action, body in (("tasks.edit", {"task": task}), ("tasks.create", {})):
        given = {"name": "n", "type": "training", **body, **wrong}
        assert "must be" in server.refuse(action, **given)["result_msg"]
    if "execution" in wrong:
        server.refuse("tasks.clone", task=task, execution_overrides=wrong["execution"])


@pytest.mark.parametrize(
    "wrong", [{"hyperparams": {"Args": 5}}, {"hyperparams": {"Args": {"x": 5}}},
              {"configuration": {"x": "text"}}],
)  # fmt: skip
def test_sections_hold_objects(server: Any, wrong: dict[str, Any]) -> None:
    assert (
        "must be an object"
        in server.refuse("tasks.edit", task=server.task(), **wrong)["result_msg"]
    )


def test_outlines_of_parameters_are_nobodys_business(server: Any) -> None:
    task = server.task(hyperparams={"Args": {"lr": ITEM}})
    assert "_outline" not in get(server, task)
    for only in (["-script"], ["name"]):
        found = server.call("tasks.get_all", id=[task], only_fields=only)["tasks"][0]
        assert "_outline" not in found
    edited = server.call("tasks.edit", task=task, hyperparams={"B": {"c": {"value": "1"}}})
    assert "_outline" not in edited["fields"]


def test_edits_at_once_are_all_kept(server: Any) -> None:
    """Each reads a section, changes it and writes it back: none may lose another's change."""
    task = server.task()

    def edit(number: int) -> None:
        item = {"section": "Args", "name": f"p{number}", "value": str(number)}
        server.call("tasks.edit_hyper_params", task=task, hyperparams=[item])
        artifact = {"key": f"a{number}", "type": "custom"}
        server.call("tasks.add_or_update_artifacts", task=task, artifacts=[artifact])
        server.call("tasks.edit_configuration", task=task,
                    configuration=[{"name": f"c{number}", "value": "v"}])  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(edit, range(40)))
    seen = get(server, task)
    assert len(seen["hyperparams"]["Args"]) == 40
    assert len(seen["execution"]["artifacts"]) == 40
    assert len(seen["configuration"]) == 40
