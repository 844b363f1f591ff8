"""Titles in the registry of a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from components.run import champions, tracked_models
from components.run.champions import CHAMPION, WHY, find_champion, find_published, promote

pytestmark = pytest.mark.stack


@pytest.fixture
def registry(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The server's API, which the functions under test then use too."""
    api = stack.api()
    monkeypatch.setattr(champions, "call", api.call)

    def find_project(name: str) -> str | None:
        found = api.call("projects.get_all", name=f"^{name}$", search_hidden=True)["projects"]
        return found[0]["id"] if found else None

    monkeypatch.setattr(champions, "find_project", find_project)
    yield api


@pytest.fixture
def project(registry: Any, request: pytest.FixtureRequest) -> str:
    made: str = registry.call("projects.create", name=request.node.name, description="")["id"]
    return made


def model(registry: Any, project: str, name: str = "cells", ready: bool = True) -> Any:
    made = registry.call("models.create", name=name, uri="http://x/y", project=project, tags=["a"])
    if ready:
        registry.call("models.set_ready", model=made["id"], publish_task=False)
    return find_published(made["id"], "x") if ready else made["id"]


def tagged(registry: Any, project: str) -> set[str]:
    found = registry.call("models.get_all", project=[project], tags=[CHAMPION])["models"]
    return {one["id"] for one in found}


def test_the_tag_moves_and_the_reason_stays_with_the_model(registry: Any, project: str) -> None:
    first, second = model(registry, project), model(registry, project)
    other = model(registry, project, name="grains")
    assert find_champion("cells", project) is None
    assert promote(first, "the first") is None
    promote(other, "another name")
    before = promote(second, "better")
    assert before is not None and before.id == first.id
    assert tagged(registry, project) == {second.id, other.id}
    now = find_champion("cells", project)
    assert now is not None and (now.id, now.facts[WHY]) == (second.id, "better")
    assert set(now.tags) == {"a", CHAMPION}
    assert promote(second, "again") is None
    assert find_champion("cells", project) == now


def test_a_roll_back_goes_one_further_each_time(registry: Any, project: str, stack: Any) -> None:
    name = registry.call("projects.get_by_id", project=project)["project"]["name"]
    models = [model(registry, project) for _ in range(4)]
    for number, one in enumerate(models):
        promote(one, f"number {number}")
    registry.call("models.delete", model=models[2].id, force=True)
    was, now = champions.roll_back(f"{name}/cells", "x", "it is blind at night")
    assert (was.id, now.id) == (models[3].id, models[1].id)
    assert tagged(registry, project) == {models[1].id}
    said = find_published(models[1].id, "x").facts[WHY]
    assert said == f"rolled back from {models[3].id}: it is blind at night"
    why = find_published(models[3].id, "x").facts[WHY]
    assert why.startswith(f"rolled back to {models[1].id}")
    assert champions.roll_back("cells", name, "that too")[1].id == models[0].id
    with pytest.raises(ValueError, match="no other champion that is still there"):
        champions.roll_back("cells", name, "and that")
    # One that was rolled back can come again, and is then gone back from as any other.
    promote(find_published(models[3].id, "x"), "mended")
    assert champions.roll_back("cells", name, "no")[1].id == models[0].id


def test_a_champion_that_was_deleted_or_archived_is_none(registry: Any, project: str) -> None:
    first, second = model(registry, project), model(registry, project)
    promote(first, "x")
    promote(second, "x")
    registry.call("models.archive_many", ids=[second.id])
    assert find_champion("cells", project) is None
    promote(first, "the second is archived")
    registry.call("models.delete", model=first.id, force=True)
    assert find_champion("cells", project) is None


def test_a_name_stands_for_its_champion(
    registry: Any, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("call", "find_project"):
        monkeypatch.setattr(tracked_models, name, getattr(champions, name))
    home = registry.call("projects.get_by_id", project=project)["project"]["name"]
    first, second = model(registry, project), model(registry, project)
    assert tracked_models._by_name("cells", home)["id"] == second.id
    promote(first, "x")
    assert tracked_models._by_name(f"{home}/cells", "x")["id"] == first.id


def test_of_many_promoted_at_once_one_is_champion(registry: Any, project: str) -> None:
    models = [model(registry, project) for _ in range(6)]
    start = threading.Barrier(len(models))

    def run(one: Any) -> None:
        start.wait()
        promote(one, "racing")

    threads = [threading.Thread(target=run, args=(one,)) for one in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    champion = find_champion("cells", project)
    assert champion is not None
    assert tagged(registry, project) == {champion.id}


def test_a_promotion_that_was_cut_short_is_mended_by_its_repetition(
    registry: Any, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = model(registry, project), model(registry, project)
    promote(first, "x")
    calls = champions._tag

    def cut(one: Any, champion: bool) -> None:
        if not champion:
            raise KeyboardInterrupt
        calls(one, champion)

    monkeypatch.setattr(champions, "_tag", cut)
    with pytest.raises(KeyboardInterrupt):
        promote(second, "y")
    monkeypatch.setattr(champions, "_tag", calls)
    assert tagged(registry, project) == {first.id, second.id}
    now = find_champion("cells", project)
    assert now is not None and now.id == second.id
    promote(second, "y")
    assert tagged(registry, project) == {second.id}


@pytest.mark.parametrize(
    ("reference", "line"),
    [
        ("0" * 32, "no model with the id"),
        ("DRAFT", "isn't published, or is archived"),
        ("cels", "did you mean cells"),
    ],
)
def test_what_is_no_published_model(registry: Any, reference: str, line: str) -> None:
    name = f"mistakes {reference}"
    project = registry.call("projects.create", name=name, description="")["id"]
    model(registry, project)
    draft = model(registry, project, ready=False)
    with pytest.raises(ValueError, match=line):
        find_published(reference.replace("DRAFT", draft), name)
    with pytest.raises(ValueError, match="no champion"):
        champions.roll_back("cells", name, "x")
