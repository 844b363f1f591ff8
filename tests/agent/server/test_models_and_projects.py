"""Models, and the tree of projects."""

from __future__ import annotations

from typing import Any


def project_of(server: Any, name: str, **more: Any) -> str:
    return server.call("projects.create", name=name, **more)["id"]


def names(server: Any, **filters: Any) -> list[str]:
    found = server.call("projects.get_all", order_by=["name"], **filters)["projects"]
    return [project["name"] for project in found]


def test_a_project_brings_its_parents_along(server: Any) -> None:
    project = project_of(server, "tree/branch/leaf", description="d")
    seen = server.call("projects.get_by_id", project=project)["project"]
    assert (seen["basename"], seen["description"]) == ("leaf", "d")
    assert names(server, name="^tree") == ["tree", "tree/branch", "tree/branch/leaf"]
    assert names(server, name="^tree$") == ["tree"]
    server.refuse("projects.create", name="a//b")
    server.refuse("projects.create", name="")
    server.refuse("projects.create", name="/")
    for taken in ("tree", "/tree", "tree/branch/"):
        said = server.refuse("projects.create", name=taken)
        assert said["result_subcode"] == 801
        assert said["result_msg"].startswith("Value combination already exists")


def test_slashes_around_a_projects_name_dont_count(server: Any) -> None:
    project = project_of(server, "/slashes/one")
    assert names(server, name="slashes") == ["slashes", "slashes/one"]
    server.call("projects.update", project=project, name="/slashes/two/")
    assert names(server, name="slashes") == ["slashes", "slashes/two"]
    server.call("projects.update", project=project, name="slashes/two/", description="the same")
    moved = server.call("tasks.move", ids=[server.task()], project_name="/slashes/two/")
    assert moved["project_id"] == project


def test_hidden_projects_are_shown_when_asked_for(server: Any) -> None:
    hidden = project_of(server, "open/.pipelines/one", system_tags=["pipeline", "hidden"])
    assert names(server, name="^open") == ["open"]
    everything = ["open", "open/.pipelines", "open/.pipelines/one"]
    assert names(server, name="^open", search_hidden=True) == everything
    assert names(server, id=[hidden]) == ["open/.pipelines/one"]
    inside = project_of(server, "open/.pipelines/one/deeper")
    assert server.call("projects.get_by_id", project=inside)["project"]["system_tags"] == ["hidden"]


def test_a_parent_is_searched_to_any_depth_unless_the_search_is_shallow(server: Any) -> None:
    leaf = project_of(server, "depth/one/two")
    deep, one = server.call("projects.get_by_id", project=leaf)["project"]["path"]
    project_of(server, "depth/.hidden")
    everything = ["depth/one", "depth/one/two"]
    for action in ("projects.get_all", "projects.get_all_ex"):

        def found(action: str = action, **more: Any) -> list[str]:
            listed = server.call(action, order_by=["name"], **more)["projects"]
            return [project["name"] for project in listed]

        assert found(parent=[deep]) == found(parent=deep) == everything
        assert found(parent=[deep, one]) == everything
        assert found(parent=[deep], name="two") == ["depth/one/two"]
        assert found(parent=[deep], shallow_search=True) == ["depth/one"]
        assert found(parent=[deep], shallow_search=True, name="two") == []
        assert found(parent=["no-such-id"]) == []
        assert "depth" not in found(parent=[deep], search_hidden=True)
        assert len(found(parent=[deep], search_hidden=True)) == 3
    assert "depth/one" not in names(server, shallow_search=True)


def test_rename_and_move_take_the_children_along(server: Any) -> None:
    project = project_of(server, "old/name")
    child = project_of(server, "old/name/child")
    server.call("projects.update", project=project, name="fresh/name", tags=["t"])
    assert names(server, name="fresh") == ["fresh", "fresh/name", "fresh/name/child"]
    assert names(server, tags=["t"]) == ["fresh/name"]
    server.refuse("projects.update", project=project, name="fresh/name/child/below")
    server.refuse("projects.update", project=project, name="old")
    assert server.call("projects.move", project=child, new_location="old")["moved"] == 1
    assert server.call("projects.get_by_id", project=child)["project"]["name"] == "old/child"


def test_merge_and_delete(server: Any) -> None:
    source, target = project_of(server, "merge/source"), project_of(server, "merge/target")
    project_of(server, "merge/source/child")
    task = server.task(project=source)
    model = server.call("models.create", name="m", uri="u", project=source)["id"]
    answer = server.call("projects.merge", project=source, destination_project=target)
    assert answer == {"moved_entities": 2, "moved_projects": 1}
    assert names(server, name="^merge/") == ["merge/target", "merge/target/child"]
    assert server.call("tasks.get_by_id", task=task)["task"]["project"] == target

    counted = server.call("projects.validate_delete", project=target)
    kinds = ("tasks", "models")
    assert [counted[kind] for kind in kinds] == [1, 1]
    assert [counted[f"non_archived_{kind}"] for kind in kinds] == [1, 1]
    assert [counted[kind] for kind in ("datasets", "reports", "pipelines")] == [0, 0, 0]
    server.refuse("projects.delete", project=target)
    answer = server.call("projects.delete", project=target, force=True, delete_contents=True)
    assert (answer["deleted"], answer["deleted_tasks"], answer["deleted_models"]) == (1, 1, 1)
    server.refuse("tasks.get_by_id", task=task)
    server.refuse("models.get_by_id", model=model)
    assert names(server, name="^merge/") == []


def test_delete_without_contents_leaves_tasks_without_a_project(server: Any) -> None:
    project = project_of(server, "leaving")
    task = server.task(project=project)
    answer = server.call("projects.delete", project=project, force=True)
    assert answer["disassociated_tasks"] == 1
    assert "project" not in server.call("tasks.get_by_id", task=task)["task"]


def test_a_model_from_registration_to_publication(server: Any) -> None:
    task = server.task()
    made = server.call(
        "models.create", name="net", uri="http://f/w", framework="PyTorch", task=task,
        labels={"cat": 0}, tags=["t"], metadata=[{"key": "k", "type": "int", "value": "1"}],
    )  # fmt: skip
    assert made["created"] is True
    model = made["id"]
    answer = server.call(
        "tasks.add_or_update_model", task=task, name="out", model=model, type="output", iteration=7
    )
    assert answer["updated"] == 1
    seen = server.call("tasks.get_by_id", task=task)["task"]
    assert seen["models"]["output"] == [{"name": "out", "model": model}]
    assert seen["last_iteration"] == 7
    for filters in ({"uri": ["http://f/w"]}, {"task": [task]}, {"tags": ["t"], "ready": False}):
        assert [m["id"] for m in server.call("models.get_all", **filters)["models"]] == [model]
    assert server.call("models.get_by_task_id", task=task)["model"]["id"] == model
    server.call("models.edit", model=model, name="better", design={"layers": [1]})
    item = {"key": "j", "value": "2"}
    server.call("models.add_or_update_metadata", model=model, metadata=[item])
    seen = server.call("models.get_by_id", model=model)["model"]
    assert (seen["name"], seen["design"], seen["labels"]) == ("better", {"layers": [1]}, {"cat": 0})
    assert sorted(seen["metadata"]) == ["j", "k"]
    server.call("models.delete_metadata", model=model, keys=["k"])
    assert "PyTorch" in server.call("models.get_frameworks")["frameworks"]

    assert server.refuse("models.set_ready", model=model)["result_subcode"] == 110
    server.call("tasks.started", task=task)
    server.call("tasks.completed", task=task)
    answer = server.call("models.set_ready", model=model)
    assert answer["published_task"]["id"] == task
    assert server.call("tasks.get_by_id", task=task)["task"]["status"] == "published"
    seen = server.call("models.get_by_id", model=model)["model"]
    assert seen["ready"] is True
    assert list(seen["metadata"]) == ["j"]
    server.refuse("models.set_ready", model=model)


def test_a_model_refers_to_what_there_is_or_was(server: Any) -> None:
    model = {"name": "m", "uri": "u"}
    for name, wanted in (("task", "Task"), ("parent", "Model")):
        said = server.refuse("models.create", **model, **{name: "no-such-id"})
        assert said["result_subcode"] == 16
        assert f"(expecting {wanted} id): id=no-such-id, field={name}" in said["result_msg"]
    task = server.task()
    made = server.call("models.create", **model, task=task)["id"]
    server.refuse("models.edit", model=made, task="no-such-id")
    server.call("tasks.delete", task=task, delete_output_models=False)
    left = server.call("models.get_by_id", model=made)["model"]["task"]
    assert left == f"__DELETED__{task}"
    # Clients write a model back with what they have read.
    server.call("models.edit", model=made, task=left, comment="c")
    server.call("models.edit", model=made, task=None, parent=made)


def test_the_time_of_a_models_making_can_be_set(server: Any) -> None:
    model = server.call("models.create", name="m", uri="u")["id"]
    server.call("models.update", model=model, created="2026-01-02T03:04:05Z", name="n")
    seen = server.call("models.get_by_id", model=model)["model"]
    assert seen["created"].startswith("2026-01-02T03:04:05")
    assert seen["name"] == "n"
    server.refuse("models.update", model=model, created="yesterday")


def test_a_task_is_given_a_model_that_there_is(server: Any) -> None:
    task, model = server.task(), server.call("models.create", name="there", uri="u")["id"]
    answer = server.call(
        "models.update_for_task", task=task, override_model_id=model, uri=None, comment="c"
    )
    # What the answer tells as changed has changed.
    assert (answer["id"], answer["created"], answer["fields"]) == (model, False, {"comment": "c"})
    seen = server.call("models.get_by_id", model=model)["model"]
    assert (seen["comment"], seen["uri"], seen["name"]) == ("c", "u", "there")
    assert server.call("models.get_by_task_id", task=task)["model"]["id"] == model


def test_publishing_a_task_publishes_its_models(server: Any) -> None:
    task = server.task()
    model = server.call("models.update_for_task", task=task, uri="u", name="n")["id"]
    again = server.call("models.update_for_task", task=task, uri="v")
    assert (again["id"], again["created"]) == (model, False)
    server.call("tasks.started", task=task)
    server.call("tasks.stopped", task=task)
    server.call("tasks.publish", task=task)
    seen = server.call("models.get_by_id", model=model)["model"]
    assert (seen["ready"], seen["uri"]) == (True, "v")


def test_models_in_use_are_kept(server: Any) -> None:
    model = server.call("models.create", name="used", uri="u")["id"]
    task = server.task()
    server.call("tasks.add_or_update_model", task=task, name="in", model=model, type="input")
    server.refuse("models.delete", model=model)
    answer = server.call("models.delete", model=model, force=True)
    assert answer == {"deleted": True, "url": "u"}
    assert server.refuse("models.delete", model=model)["result_subcode"] == 201
    gone = {"models": [{"name": "in", "type": "input"}]}
    assert server.call("tasks.delete_models", task=task, **gone)["updated"] == 1


def test_archived_models(server: Any) -> None:
    model = server.call("models.create", name="old", uri="old://")["id"]
    assert server.call("models.archive_many", ids=[model, "none"])["failed"][0]["id"] == "none"
    query = {"uri": ["old://"], "system_tags": ["-archived"]}
    assert server.call("models.get_all", **query)["models"] == []
    server.call("models.unarchive_many", ids=[model])
    assert len(server.call("models.get_all", **query)["models"]) == 1
    server.call("models.move", ids=[model], project_name="for models")
    project = server.call("models.get_by_id", model=model)["model"]["project"]
    assert names(server, id=[project]) == ["for models"]


def test_tags_of_the_organization(server: Any) -> None:
    server.task(tags=["tag of a task"])
    server.call("models.create", name="m", uri="u", tags=["tag of a model"])
    tags = server.call("organization.get_tags", include_system=True)
    assert {"tag of a task", "tag of a model"} <= set(tags["tags"])
    assert "system_tags" in tags
