"""Values of parameters and metrics by name: in step with the documents, ordered as people read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from agent.server.documents import TASKS
from agent.server.encoding import loads
from agent.server.query import compile_filters, compile_order
from agent.server.store import Session, Store
from agent.server.values import fill, parameters

PARAMETER = "hyperparams.Args.lr.value"
METRIC = "last_metrics.m.v.max_value"


def task(identity: str, value: Any = None, metric: float | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"id": identity, "name": identity, "type": "training", "status": "x"}
    if value is not None:
        made["hyperparams"] = {"Args": {"lr": {"value": value}, "other": {"value": "1"}}}
    if metric is not None:
        entry = {"metric": "M", "variant": "V", "value": 0.0, "max_value": metric}
        made["last_metrics"] = {"m": {"v": entry}}
    return made


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Session:
    session = Store(tmp_path_factory.mktemp("values") / "server.db").writer
    written = {"a": "10", "b": "9", "c": "-1", "d": "1e-3", "e": "run 10", "f": "run 9",
               "g": "Adam", "i": "0.001"}  # fmt: skip
    for number, (identity, value) in enumerate(written.items()):
        session.insert(TASKS, task(identity, value, float(number)))
    session.insert(TASKS, task("h"))
    return session


def found(db: Session, order: str = "id", **filters: Any) -> str:
    where = compile_filters(TASKS, filters)
    rows = db.select(TASKS, where.sql, where.values, order=compile_order(TASKS, order), limit=50)
    return "".join(row["id"] for row in rows)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (PARAMETER, "hcdibagfe"),  # none first, numbers by size, then texts, `run 9` before 10
        (f"-{PARAMETER}", "efgabdich"),
        (METRIC, "habcdefgi"),
        (f"-{METRIC}", "igfedcbah"),
        ("hyperparams.Args.unknown.value", "abcdefgih"),
    ],
)
def test_order(db: Session, order: str, expected: str) -> None:
    assert found(db, order) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({PARAMETER: ["0.001"]}, "i"),  # the text counts, not the number
        ({PARAMETER: "Adam"}, "g"),
        ({PARAMETER: ["adam", "9"]}, "b"),
        ({PARAMETER: [0, 9.5]}, "bdi"),  # a range is about numbers
        ({PARAMETER: [None, -1]}, "c"),
        ({PARAMETER: [None]}, "h"),
        ({PARAMETER: [None, "10"]}, "ah"),
        ({PARAMETER: ["__$not", "10", "__$not", "9"]}, "cdefghi"),
        ({METRIC: [1, 2.5]}, "bc"),
        ({METRIC: [6, None]}, "gi"),
        ({METRIC: [3.0]}, "d"),
        ({PARAMETER: ["10", "9"], METRIC: [1, 1]}, "b"),
    ],
)
def test_filter(db: Session, filters: dict[str, Any], expected: str) -> None:
    assert found(db, **filters) == expected


def test_the_different_values_are_told_as_they_were_given(db: Session) -> None:
    told = parameters(db, "Args", "lr", "1", ())
    assert told == ["-1", "0.001", "1e-3", "9", "10", "Adam", "run 9", "run 10"]
    assert parameters(db, "Args", "lr", "id = ?", ("g",)) == ["Adam"]


def rows(db: Session) -> list[Any]:
    return [
        sorted(db.rows(f"SELECT n.label, v.* FROM {table} v JOIN value_names n ON n.id = v.name "
                       f"ORDER BY v.task, n.label"), key=str)
        for table in ("parameter_values", "metric_values")
    ]  # fmt: skip


def test_they_keep_in_step_with_the_documents(tmp_path: Path) -> None:
    db = Store(tmp_path / "server.db").writer
    chance = random.Random(5)

    def hyperparams() -> dict[str, Any]:
        names = chance.sample(["lr", "a/b", 'q"t', "x.y", "batch"], chance.randrange(6))
        values = ["1", "2.50", "word", "", None, {"nested": 1}, 7, "x" * 500, "é 12"]
        section = {name: {"name": name, "value": chance.choice(values)} for name in names}
        return {chance.choice(["Args", "General"]): section}

    def metrics() -> dict[str, Any]:
        names = chance.sample("mnop", chance.randrange(5))
        return {
            name: {"v": {"metric": name, "variant": "v", "value": chance.choice([0.5, 1, None])}}
            for name in names
        }

    for step in range(300):
        identity = str(chance.randrange(12))
        if not db.exists(TASKS, identity):
            db.insert(TASKS, {**task(identity), "hyperparams": hyperparams()})
        elif step % 9 == 0:
            db.delete(TASKS, identity)
        else:
            part = chance.choice([{"hyperparams": hyperparams()}, {"last_metrics": metrics()},
                                  {"hyperparams": None}])  # fmt: skip
            db.patch(TASKS, identity, part)
    kept = rows(db)
    assert all(kept)
    for table in ("parameter_values", "metric_values"):
        db.run(f"DELETE FROM {table}")
    for part in ("hyperparams", "last_metrics"):
        parts = db.rows("SELECT t.rowid, p.value FROM tasks t JOIN tasks_parts p ON p.id = t.id "
                        "WHERE p.part = ?", (part,))  # fmt: skip
        fill(db.connection, part, [(number, loads(value)) for number, value in parts])
    assert rows(db) == kept
