"""The tables of the store: made in an empty database, brought up to date in an older one.

Collections are declared in `documents`; a table, column or index that an existing database lacks
is added at each start. Everything else has a layout number (`PRAGMA user_version`), and a step in
`migrations` that leads from each to the next.
"""

from __future__ import annotations

import logging
import sqlite3

from . import migrations, uses, values
from .documents import ALL, Collection
from .events import blocks

log = logging.getLogger(__name__)

VERSION = 5

TABLES = f"""
CREATE TABLE queue_entries (
    position INTEGER NOT NULL, queue TEXT NOT NULL, task TEXT NOT NULL UNIQUE, added TEXT NOT NULL,
    since REAL NOT NULL, PRIMARY KEY (queue, position)
) WITHOUT ROWID;
CREATE TABLE series (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, metric TEXT NOT NULL, variant TEXT NOT NULL,
    UNIQUE (owner, metric, variant)
);
{blocks.TABLE}
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
{migrations.HISTORY}
{values.TABLES}
{uses.TABLE}
"""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database, or bring those that are there up to date.

    All of it happens in one transaction: a kill leaves the database as it was.

    Raises:
        ValueError: The database was written by a newer version.
    """
    found = version(connection)
    if found > VERSION:
        raise ValueError(
            f"the server's state has layout {found}, this version knows {VERSION}: "
            "use the newer Sightline, or another state folder"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        if found == 0:
            migrations.execute(connection, TABLES)
        for layout in range(found or VERSION, VERSION):
            log.warning("bringing the server's state from layout %d to %d", layout, layout + 1)
            migrations.STEPS[layout](connection)
        for collection in ALL:
            _reconcile(connection, collection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def version(connection: sqlite3.Connection) -> int:
    """The layout number of a database; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _reconcile(connection: sqlite3.Connection, collection: Collection) -> None:
    table = collection.table
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table} (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL)"
    )
    there = {row[1] for row in connection.execute(f"PRAGMA table_xinfo({table})")}
    for name in collection.columns:
        if name not in there:
            connection.execute(
                f'ALTER TABLE {table} ADD COLUMN "{name}" '
                f"GENERATED ALWAYS AS (json_extract(doc, '$.{name}')) VIRTUAL"
            )
    _reindex(connection, collection)
    if collection.parts:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {collection.parts_table} (id TEXT NOT NULL, "
            "part TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id, part))"
        )


def index_name(collection: Collection, names: tuple[str, ...]) -> str:
    """The name of the index of some columns."""
    return f"{collection.table}_{'_'.join(names)}".replace(".", "_")


def list_index(collection: Collection, names: tuple[str, ...]) -> str:
    """The name of the index of some columns that also holds all that lists are filtered by."""
    return f"{collection.table}_by_{'_'.join(names)}"


def _reindex(connection: sqlite3.Connection, collection: Collection) -> None:
    """Make the indexes that a collection declares; those it doesn't go."""
    declared = {index_name(collection, names): names for names in collection.indexes}
    for names in collection.lists_by:
        rest = tuple(name for name in collection.filtered if name not in names)
        declared[list_index(collection, names)] = names + rest
    found = dict(
        connection.execute(
            "SELECT name, sql FROM sqlite_master "
            "WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            (collection.table,),
        ).fetchall()
    )
    wanted = {
        name: f"CREATE INDEX {name} ON {collection.table} ({', '.join(map(_quoted, columns))})"
        for name, columns in declared.items()
    }
    for name, sql in found.items():
        if wanted.get(name) != sql:
            connection.execute(f"DROP INDEX {name}")
    for name, sql in wanted.items():
        if found.get(name) != sql:
            connection.execute(sql)


def _quoted(column: str) -> str:
    return f'"{column}"'
