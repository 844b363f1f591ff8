"""The layout of the store: old ones are brought up to the present one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agent.server import schema
from agent.server.documents import TASKS
from agent.server.store import Store

FIRST = Path(__file__).with_name("layout_1.sql").read_text()


def layout(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """The columns of each table and index."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    return {
        name: {row[1] for row in connection.execute(f"PRAGMA table_xinfo('{name}')")}
        or {row[2] for row in connection.execute(f"PRAGMA index_info('{name}')")}
        for name in names
    }


def test_the_first_layout_becomes_the_present_one(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.executescript(FIRST)
        old.execute('INSERT INTO tasks (id, doc) VALUES (\'t\', \'{"id": "t", "name": "kept"}\')')
        old.execute("PRAGMA user_version = 1")
    store = Store(tmp_path / "old.db")
    fresh = Store(tmp_path / "new.db")
    assert layout(store.writer.connection) == layout(fresh.writer.connection)
    assert store.writer.require(TASKS, "t")["name"] == "kept"
    assert Store(tmp_path / "old.db").writer.require(TASKS, "t")


def test_a_newer_layout_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "new.db") as newer:
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(ValueError, match="use the newer Sightline"):
        Store(tmp_path / "new.db")
