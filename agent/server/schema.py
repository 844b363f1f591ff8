"""The tables of the store, made from `documents`, and the version of their layout."""

from __future__ import annotations

import sqlite3

from .documents import ALL, STATISTICS, TASKS, USERS, Collection

VERSION = 3

_TABLES = """
CREATE TABLE queue_entries (
    position INTEGER NOT NULL, queue TEXT NOT NULL, task TEXT NOT NULL UNIQUE, added TEXT NOT NULL,
    PRIMARY KEY (queue, position)
) WITHOUT ROWID;
CREATE TABLE series (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, metric TEXT NOT NULL, variant TEXT NOT NULL,
    UNIQUE (owner, metric, variant)
);
CREATE TABLE scalars (
    series INTEGER NOT NULL, iter INTEGER NOT NULL, timestamp INTEGER NOT NULL, value REAL,
    PRIMARY KEY (series, iter)
) WITHOUT ROWID;
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, timestamp INTEGER NOT NULL, level TEXT,
    worker TEXT, message TEXT NOT NULL
);
CREATE INDEX logs_owner ON logs (owner, timestamp, id);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, type TEXT NOT NULL, metric TEXT NOT NULL,
    variant TEXT NOT NULL, iter INTEGER NOT NULL, timestamp INTEGER NOT NULL, url TEXT,
    doc TEXT NOT NULL,
    UNIQUE (owner, type, metric, variant, iter)
);
"""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database, or bring those of an older version up to ours.

    Raises:
        ValueError: The database was written by a newer version.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise ValueError(
            f"the server's state has layout {found}, this version knows {VERSION}: "
            "use the newer Sightline, or another state folder"
        )
    if found == VERSION:
        return
    if found == 0:
        statements = [*map(_collection, ALL), _TABLES]
    else:
        statements = [step for number in range(found, VERSION) for step in _STEPS[number]]
    connection.executescript(f"BEGIN;{''.join(statements)}PRAGMA user_version = {VERSION};COMMIT;")


def _collection(collection: Collection) -> str:
    table = collection.table
    columns = "".join(f", {_column(name)}" for name in collection.columns)
    sql = f"CREATE TABLE {table} (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL{columns});"
    sql += "".join(_index(collection, names) for names in collection.indexes)
    if collection.parts:
        sql += (
            f"CREATE TABLE {collection.parts_table} (id TEXT NOT NULL, part TEXT NOT NULL, "
            "value TEXT NOT NULL, PRIMARY KEY (id, part));"
        )
    return sql


def _column(name: str) -> str:
    return f"\"{name}\" GENERATED ALWAYS AS (json_extract(doc, '$.{name}')) VIRTUAL"


def _index(collection: Collection, names: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"CREATE INDEX {index_name(collection, names)} ON {collection.table} ({listed});"


def index_name(collection: Collection, names: tuple[str, ...]) -> str:
    """The name of the index of some columns."""
    return f"{collection.table}_{'_'.join(names)}"


_STEPS: dict[int, list[str]] = {
    1: [_collection(USERS)],
    2: [
        f"ALTER TABLE tasks ADD COLUMN {_column('active_duration')};",
        _index(TASKS, STATISTICS),
    ],
}
"""What to do to a database of each older version to make it one of the next version."""
