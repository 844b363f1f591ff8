"""Stores that earlier versions wrote: everything in them is there afterwards.

`layouts/N.sql` is a store of layout N as the version of that time wrote it (a dump of a state
folder). When the layout changes, add a dump made just before the change.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agent.server import schema
from agent.server.documents import TASKS
from agent.server.events.scalars import digest
from agent.server.query import compile_filters, compile_order
from agent.server.store import Store

LAYOUTS = Path(__file__).parent / "layouts"
OLD = sorted(int(path.stem) for path in LAYOUTS.glob("*.sql"))


def lay_down(layout: int, state: Path) -> Path:
    """Make a state folder as a version of that layout left it."""
    state.mkdir()
    (state / "credentials.json").write_text(
        json.dumps({"access_key": "A", "secret_key": "S" * 20, "user": "ada"})
    )
    connection = sqlite3.connect(state / "server.db")
    connection.executescript((LAYOUTS / f"{layout}.sql").read_text())
    connection.close()
    return state


def shape(path: Path) -> dict[str, str]:
    """What a database consists of."""
    connection = sqlite3.connect(path)
    columns = {
        f"{name}.{row[1]}": row[2]
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for row in connection.execute(f"PRAGMA table_xinfo({name})")
    }
    others = connection.execute(
        "SELECT name, type FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL"
    )
    return {**columns, **dict(others)}


def test_every_layout_so_far_is_tried() -> None:
    assert list(range(1, schema.VERSION)) == OLD


@pytest.mark.parametrize("layout", OLD)
def test_an_old_store_becomes_like_a_new_one(layout: int, tmp_path: Path) -> None:
    old = lay_down(layout, tmp_path / "old") / "server.db"
    Store(old).close()
    Store(tmp_path / "new.db").close()
    assert shape(old) == shape(tmp_path / "new.db")


@pytest.mark.parametrize("layout", OLD)
def test_what_an_old_store_held_is_served(layout: int, start_server: Any, tmp_path: Path) -> None:
    lay_down(layout, tmp_path / "state")
    server = start_server()
    task = server.call("tasks.get_all", name="^old$")["tasks"][0]["id"]
    found = server.call("tasks.get_by_id", task=task)["task"]
    assert (found["status"], found["tags"]) == ("in_progress", ["kept"])
    assert found["hyperparams"]["Args"]["lr"]["value"] == "0.1"
    assert found["script"]["diff"] == "a diff"
    curves = server.call("events.scalar_metrics_iter_histogram", task=task, samples=0)
    for variant in ("train", "val"):
        assert curves["loss"][variant]["x"] == list(range(0, 1200, 2))
        assert curves["loss"][variant]["y"] == [step / 4 for step in range(0, 1200, 2)]
    assert curves["loss"]["odd"]["y"] == [None]
    values = server.call("events.get_task_single_value_metrics", tasks=[task])["tasks"][0]["values"]
    assert [(entry["variant"], entry["value"]) for entry in values] == [("mAP", 0.5)]
    lines = server.call("events.get_task_log", task=task, order="asc")["events"]
    assert [line["msg"] for line in lines] == ["line 0", "line 1", "line 2"]
    assert len(server.call("events.get_task_plots", task=task)["plots"]) == 1
    queue = server.call("queues.get_all", name="^kept$")["queues"][0]
    assert len(queue["entries"]) == 2
    first = server.call("queues.get_next_task", queue=queue["id"])["entry"]["task"]
    assert first == queue["entries"][0]["task"]
    assert server.call("models.get_all", name="^m$")["models"][0]["labels"] == {"a": 1}
    # It goes on as any other.
    server.add({"type": "training_stats_scalar", "task": task, "metric": "loss",
                "variant": "train", "iter": 1200, "value": -1})  # fmt: skip
    summary = server.call("events.get_task_latest_scalar_values", task=task)["metrics"]
    assert summary[1]["variants"][0]["last_value"] == -1


def test_a_kill_while_migrating_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = lay_down(1, tmp_path / "old") / "server.db"
    before = shape(old)

    def fail(connection: sqlite3.Connection, collection: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(schema, "_reconcile", fail)
    with pytest.raises(KeyboardInterrupt):
        Store(old)
    assert shape(old) == before
    monkeypatch.undo()
    Store(old).close()


def test_a_column_that_a_store_lacks_is_added(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    Store(path).close()
    whole = shape(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP INDEX tasks_parent")
    connection.execute("DROP TABLE credentials")
    connection.commit()
    connection.close()
    Store(path).close()
    assert shape(path) == whole


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "server.db")
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(ValueError, match="use the newer Sightline"):
        Store(tmp_path / "server.db")


@pytest.mark.parametrize("layout", OLD)
def test_an_old_stores_tasks_are_ordered_by_parameters_and_metrics(
    layout: int, tmp_path: Path
) -> None:
    db = Store(lay_down(layout, tmp_path / "old") / "server.db").reader()
    name = ["hyperparams.Args.lr.value", f"last_metrics.{digest('loss')}.{digest('val')}.value"]
    for path in name:
        order = compile_order(TASKS, f"-{path}")
        assert db.select(TASKS, order=order, limit=1, heads=())[0]["name"] == "old"
    where = compile_filters(TASKS, {name[0]: ["0.1"], name[1]: [299.5, 299.5]})
    assert [task["name"] for task in db.select(TASKS, where.sql, where.values)] == ["old"]
