"""The query language, against a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.server import clock
from agent.server.credentials import Keys, User
from agent.server.documents import PROJECTS, TASKS
from agent.server.errors import BadRequestError
from agent.server.query import compile_filters, compile_order
from agent.server.registry import Call
from agent.server.services import listing
from agent.server.settings import Settings
from agent.server.store import Store

NOBODY = User("", "", "")
KEYS = Keys("", "", NOBODY, "")
SETTINGS = Settings(Path(), Path())


def tasks() -> list[dict[str, Any]]:
    metric = {"m": {"v": {"value": 0.5, "max_value": 0.9}}}
    return [
        {"id": "1", "name": "train one", "type": "training", "status": "completed", "tags": ["a"],
         "system_tags": [], "project": "p", "created": "2026-01-01T00:00:00.000000+00:00",
         "last_update": "2026-01-05T00:00:00.000000+00:00", "last_iteration": 10,
         "runtime": {"_hash": "abc", "version": "1.0"}, "last_metrics": metric,
         "comment": "The first", "execution": {"artifacts": [{"key": "weights"}]}},
        {"id": "2", "name": "Train two", "type": "testing", "status": "failed", "tags": ["a", "b"],
         "system_tags": ["archived"], "project": "p", "parent": "1", "last_iteration": 20,
         "created": "2026-01-02T00:00:00.000000+00:00",
         "last_update": "2026-01-04T00:00:00.000000+00:00", "runtime": {}, "comment": "",
         "hyperparams": {"Args": {"lr.base": {"value": "0.1"}}}},
        {"id": "3", "name": "c++ (x)", "type": "controller", "status": "queued", "tags": [],
         "system_tags": ["pipeline"], "project": "q", "last_iteration": 30,
         "created": "2026-01-03T00:00:00.000000+00:00",
         "last_update": "2026-01-03T00:00:00.000000+00:00",
         "script": {"repository": "https://x/y.git"},
         "models": {"input": [{"name": "n", "model": "m1"}]},
         "input": {"view": {"entries": [{"dataset": "d1", "version": "v1"}]}}},
        {"id": "4", "name": "quote\"d", "type": "training", "status": "created",
         "tags": ["a\"b", "ab"], "created": "2026-01-04T00:00:00.000000+00:00",
         "last_update": "2026-01-02T00:00:00.000000+00:00"},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("store") / "server.db")
    for task in tasks():
        made.writer.insert(TASKS, task)
    return made


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "1234"),
        # What is no field is ignored, and so is null.
        ({"method": "get", "task_types": ["x"], "pipeline_project": ["p"], "name": None}, "1234"),
        ({"id": ["1", "3", "no"]}, "13"),
        ({"id": "2"}, "2"),
        ({"type": ["TRAINING"]}, "14"),
        ({"type": ["-Training", "-testing"]}, "3"),
        ({"id": []}, "1234"),
        ({"project": ["p"], "status": ["failed"]}, "2"),
        ({"project": [None]}, "4"),
        ({"project": ["q", None]}, "34"),
        ({"parent": "1"}, "2"),
        ({"status": ["-failed", "-queued"]}, "14"),
        ({"type": ["__$not", "training", "__$not", "testing"]}, "3"),
        # Names are regular expressions.
        ({"name": "train"}, "1"),
        ({"name": "(?i)train"}, "12"),
        ({"name": "^[tT]rain"}, "12"),
        ({"name": r"^c\+\+\ \(x\)$"}, "3"),
        ({"name": "^c"}, "3"),
        ({"name": "two$"}, "2"),
        ({"name": "^Train one$"}, ""),
        ({"comment": "first"}, "1"),
        # Tags: joined by "or", "-" excludes, markers say otherwise.
        ({"tags": ["a"]}, "12"),
        ({"tags": ["a", "ab"]}, "124"),
        ({"tags": ["b"]}, "2"),
        ({"tags": ['a"b']}, "4"),
        ({"tags": ["a", "-b"]}, "1"),
        ({"tags": ["-a"]}, "34"),
        ({"tags": ["__$all", "a", "b"]}, "2"),
        ({"tags": ["__$and", "a", "b"]}, "2"),
        ({"tags": ["__$all", "a", "__$not", "b"]}, "1"),
        ({"tags": ["__$any", "b", "ab"]}, "24"),
        ({"tags": ["__$all", "a", "__$or", "b", "__$not", "b"]}, "12"),
        ({"tags": ["__$or", "b", "__$not", "a"]}, "234"),
        ({"system_tags": ["-archived"]}, "134"),
        ({"system_tags": ["__$all", "pipeline", "__$not", "archived"]}, "3"),
        ({"system_tags": [None]}, "14"),
        # Dotted names, into columns, the document and the parts held apart.
        ({"runtime.version": "1.0"}, "1"),
        ({"runtime.version": ["1.0", None]}, "1234"),
        ({"last_metrics.m.v.max_value": [0.5, 1.0]}, "1"),
        ({"last_metrics.m.v.max_value": [None, 0.5]}, ""),
        ({"last_iteration": [15, None]}, "23"),
        ({"hyperparams.Args.lr%2Ebase.value": ["0.1"]}, "2"),
        ({"script.repository": "https://x/y.git"}, "3"),
        ({"models.input.model": ["m1"]}, "3"),
        ({"input.view.entries.dataset": ["d1", "d2"]}, "3"),
        ({"execution.artifacts.key": "weights"}, "1"),
        # Times.
        ({"created": ">=2026-01-03"}, "34"),
        ({"created": [">2026-01-01T00:00:00", "<2026-01-03T00:00:00Z"]}, "2"),
        ({"last_update": ">2026-01-03T02:00:00+02:00"}, "12"),
        ({"last_update": "2026-01-03"}, "3"),
        ({"status_changed": ">2026-01-01"}, ""),
        # Many fields at once.
        ({"_any_": {"fields": ["name", "comment"], "pattern": "FIRST|c\\+"}}, "13"),
        ({"_all_": {"fields": ["runtime._hash"], "pattern": "^abc$"}}, "1"),
        ({"_all_": {"fields": ["name", "comment"], "pattern": "o"}}, ""),
        ({"_all_": {"fields": ["script.repository"], "pattern": "x/y"}}, "3"),
        # Of a list each item is a text of its own.
        ({"_any_": {"fields": ["tags", "name"], "pattern": "^ab$"}}, "4"),
        ({"_any_": {"fields": ["tags"], "pattern": "A.B"}}, "4"),
        ({"_any_": {"fields": ["tags"], "pattern": "a\",\"b"}}, ""),
        ({"_any_": {"fields": ["system_tags"], "pattern": "^(arch|pipe)"}}, "23"),
        ({"_any_": {"fields": ["models.input.model", "runtime._hash"], "pattern": "^(m1|a.c)$"}},
         "13"),
        ({"_all_": {"fields": ["execution.artifacts.key"], "pattern": "^wei"}}, "1"),
        ({"_or_": {"fields": ["last_update", "last_change"], "datetime": [">2026-01-04"]}}, "1"),
        ({"search_text": "TRAIN"}, "12"),
        ({"search_text": 'e"d'}, "4"),
        ({"search_text": ""}, "1234"),
        # The newer form of lists.
        ({"filters": {"tags": {"any": {"include": ["b", "ab"]}}}}, "24"),
        ({"filters": {"tags": {"all": {"include": ["a", "b"]}}}}, "2"),
        ({"filters": {"tags": {"all": {"include": ["a"], "exclude": ["b"]}}}}, "1"),
        ({"filters": {"tags": {"any": {"include": ["ab"]}, "all": {"include": ["a", "b"]},
                               "op": "or"}}}, "24"),
        ({"filters": {"status": {"any": {"exclude": ["failed"]}}, "method": {"any": {}}}}, "134"),
        # Parameters are texts; a range of numbers compares numbers.
        ({"hyperparams.Args.lr%2Ebase.value": [0.05, 0.5]}, "2"),
        ({"hyperparams.Args.lr%2Ebase.value": [0.5, None]}, ""),
    ],
)  # fmt: skip
def test_filters(store: Store, filters: dict[str, Any], expected: str) -> None:
    where = compile_filters(TASKS, filters)
    found = store.writer.select(TASKS, where.sql, where.values, order="id")
    assert "".join(task["id"] for task in found) == expected


def test_long_lists(server: Any) -> None:
    task, other = server.task(), server.task()
    none = [f"{number:032x}" for number in range(300_000)]
    wanted = {"only_fields": ["id"], "order_by": ["created"]}
    found = server.call("tasks.get_all", id=[*none, task, other], **wanted)["tasks"]
    assert [each["id"] for each in found] == [task, other]
    said = server.refuse("tasks.get_all", tags=["__$all", *none[:5000]])
    assert "too many conditions" in said["result_msg"]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (None, "1234"),
        ([], "1234"),
        (["-created"], "4321"),
        ("last_update", "4321"),
        (["-last_iteration"], "3214"),
        (["type", "-id"], "3241"),
        (["-last_metrics.m.v.value"], "1234"),
        (["@text_score", "-created"], "4321"),
        (["no such; DROP TABLE tasks"], "1234"),
    ],
)
def test_order(store: Store, order_by: Any, expected: str) -> None:
    found = store.writer.select(TASKS, order=compile_order(TASKS, order_by))
    assert "".join(task["id"] for task in found) == expected


def test_parameters_are_sorted_as_people_read_them(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    values = ["-10", "-2", "0", "2e-3", "9", "10", "a2", "a10", "b"]
    for number, value in enumerate(reversed(values)):
        task = {"id": str(number), "hyperparams": {"Args": {"x": {"value": value}}}}
        db.insert(TASKS, task)
    db.insert(TASKS, {"id": "without"})
    order = compile_order(TASKS, ["hyperparams.Args.x.value"])
    first, *found = db.select(TASKS, order=order)
    assert first["id"] == "without"
    assert [task["hyperparams"]["Args"]["x"]["value"] for task in found] == values


@pytest.mark.parametrize(
    "filters",
    [
        {"name": "("},
        {"name": "a" * 10_001},
        {"created": "yesterday"},
        {"created": [[]]},
        {"tags": [1]},
        {"tags": ["__$xor", "a"]},
        {"filters": []},
        {"filters": {"tags": ["a"]}},
        {"filters": {"tags": {"any": {"include": "a"}}}},
        {"status": [{"a": 1}]},
        {"status": {"a": 1}},
        {'runtime."x': "1"},
        {"_any_": "name"},
        {"_any_": {"fields": ["a'b"], "pattern": "x"}},
        {"search_text": 5},
        {"created": 1e300},
    ],
)
def test_filters_that_make_no_sense_are_refused(filters: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        compile_filters(TASKS, filters)


def test_a_time_is_read_in_any_form() -> None:
    expected = "2026-01-02T03:04:05.000000+00:00"
    for form in ("2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02T05:04:05+02:00",
                 "1767323045", 1767323045, 1767323045.0):  # fmt: skip
        assert clock.normalize(form) == expected
    assert clock.from_seconds(clock.seconds(expected)) == expected


def test_documents_are_read_written_and_patched(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    db.insert(TASKS, {"id": "x", "name": "n", "script": {"diff": "d"}, "comment": None})
    assert db.get(TASKS, "x") == {"id": "x", "name": "n", "script": {"diff": "d"}}
    assert db.get(TASKS, "x", heads={"name"}) == {"id": "x", "name": "n"}
    db.patch(TASKS, "x", {"script": {"diff": "e"}, "name": None, "comment": "c"})
    assert db.get(TASKS, "x") == {"id": "x", "comment": "c", "script": {"diff": "e"}}
    db.patch(TASKS, "x", {"script": None, "last_metrics": {"a": float("nan")}})
    assert db.get(TASKS, "x") == {"id": "x", "comment": "c", "last_metrics": {"a": None}}
    assert db.delete(TASKS, "x") is True
    assert db.get(TASKS, "x") is None
    assert db.delete(TASKS, "x") is False


def test_a_pattern_that_never_ends_is_given_up(server: Any) -> None:
    server.task("a" * 60 + "!")
    assert "takes too long" in server.refuse("tasks.get_all", name="^(a|a)*$")["result_msg"]
    assert server.raw("debug.ping").ok


@pytest.mark.parametrize("order", ["name", ["-last_iteration", "name"], "-comment", None])
@pytest.mark.parametrize("filters", [{}, {"type": ["training"]}])
def test_pages_are_the_same_from_either_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any, filters: dict[str, Any]
) -> None:
    store = Store(tmp_path / "server.db")
    for number in range(23):
        kind = "training" if number % 3 else "testing"
        more = {"comment": "same"} if number % 2 else {}
        task = {"id": f"{number:02}", "name": f"n{number * 7 % 23:02}", "type": kind}
        store.writer.insert(TASKS, {**task, "last_iteration": number % 4, **more})

    def pages() -> list[list[str]]:
        found = []
        for page in range(7):
            body = {"page": page, "page_size": 5, "order_by": order, **filters}
            call = Call("tasks.get_all", body, store.reader(), NOBODY, SETTINGS, KEYS)
            answer = listing.page(call, TASKS, "tasks", compile_filters(TASKS, filters), ["id"])
            found.append([task["id"] for task in answer["tasks"]])
        return found

    monkeypatch.setattr(listing, "_FAR", 10**9)
    forwards = pages()
    monkeypatch.setattr(listing, "_FAR", 0)
    assert pages() == forwards
    assert sum(map(len, forwards)) == (23 if not filters else 15)


def test_order_by_the_name_behind_an_id(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    for identity, name in (("p", "zebra"), ("q", "apple")):
        db.insert(PROJECTS, {"id": identity, "name": name})
    for identity, project, parent in (("1", "p", None), ("2", "q", "1"), ("3", None, "2")):
        db.insert(TASKS, {"id": identity, "name": f"n{identity}", "project": project,
                          "parent": parent})  # fmt: skip

    def order(*names: str) -> str:
        found = db.select(TASKS, order=compile_order(TASKS, list(names)), limit=9)
        return "".join(task["id"] for task in found)

    assert order("project.name") == "321"
    assert order("-project.name") == "123"
    assert order("-parent.name", "name") == "321"
