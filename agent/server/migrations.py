"""The steps from each layout of the store to the next.

A step runs inside the transaction that the start of the server has open, on a database of exactly
its layout; what it needs of old tables stands here and nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import groupby

from . import uses, values
from .encoding import loads
from .events import blocks

HISTORY = """
CREATE TABLE queue_history (
    queue TEXT NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL, waiting REAL NOT NULL,
    PRIMARY KEY (queue, at)
) WITHOUT ROWID;
CREATE TRIGGER queue_grew AFTER INSERT ON queue_entries BEGIN
    INSERT OR REPLACE INTO queue_history (queue, at, length, waiting)
    SELECT NEW.queue, CAST(moment AS INTEGER), COUNT(since), COALESCE(moment - AVG(since), 0)
    FROM (SELECT (julianday('now') - 2440587.5) * 86400.0 AS moment)
    LEFT JOIN queue_entries ON queue = NEW.queue;
END;
CREATE TRIGGER queue_shrank AFTER DELETE ON queue_entries BEGIN
    INSERT OR REPLACE INTO queue_history (queue, at, length, waiting)
    SELECT OLD.queue, CAST(moment AS INTEGER), COUNT(since), COALESCE(moment - AVG(since), 0)
    FROM (SELECT (julianday('now') - 2440587.5) * 86400.0 AS moment)
    LEFT JOIN queue_entries ON queue = OLD.queue;
END;
CREATE TABLE worker_reports (
    worker TEXT NOT NULL, at INTEGER NOT NULL, task TEXT, stats TEXT, PRIMARY KEY (worker, at)
) WITHOUT ROWID;
CREATE INDEX worker_reports_at ON worker_reports (at);
CREATE TABLE removals (path TEXT PRIMARY KEY NOT NULL, asked REAL NOT NULL, done REAL);
"""
"""What layout 4 brought: queues and workers as they were over time, files that shall go."""


def execute(connection: sqlite3.Connection, script: str) -> None:
    """Run statements inside the open transaction (`executescript` would commit it)."""
    statement = ""
    for piece in script.split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def _to_4(connection: sqlite3.Connection) -> None:
    """Scalars move from a row each into blocks; queue entries get a time to reckon with."""
    execute(connection, blocks.TABLE)
    points = connection.execute(
        "SELECT series, iter, timestamp, value FROM scalars ORDER BY series, iter"
    )
    for series, rows in groupby(points, key=lambda row: int(row[0])):
        connection.executemany(blocks.INSERT, blocks.rows(series, _columns(rows)))
    execute(
        connection,
        """
        DROP TABLE scalars;
        ALTER TABLE queue_entries RENAME TO old_entries;
        CREATE TABLE queue_entries (
            position INTEGER NOT NULL, queue TEXT NOT NULL, task TEXT NOT NULL UNIQUE,
            added TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (queue, position)
        ) WITHOUT ROWID;
        INSERT INTO queue_entries (position, queue, task, added, since)
            SELECT position, queue, task, added, (julianday(added) - 2440587.5) * 86400.0
            FROM old_entries;
        DROP TABLE old_entries;
        """,
    )
    execute(connection, HISTORY)


def _columns(rows: Iterator[tuple[int, int, int, float | None]]) -> blocks.Columns:
    found = blocks.Columns()
    for _, iteration, at, value in rows:
        found.append(iteration, (at, blocks.NOTHING if value is None else value))
    return found


def _to_5(connection: sqlite3.Connection) -> None:
    """Single values are kept by name as well; so is when keys were used."""
    execute(connection, values.TABLES)
    execute(connection, uses.TABLE)
    for part in ("hyperparams", "last_metrics"):
        tasks = connection.execute(
            "SELECT t.rowid, p.value FROM tasks t JOIN tasks_parts p ON p.id = t.id "
            "WHERE p.part = ? ORDER BY t.rowid",
            (part,),
        )
        while some := tasks.fetchmany(_TASKS_AT_ONCE):
            values.fill(connection, part, [(task, loads(text)) for task, text in some])


_TASKS_AT_ONCE = 2000


def _reconciled(_: sqlite3.Connection) -> None:
    """Collections, columns and indexes came to be, which every start sees to."""


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _reconciled,
    2: _reconciled,
    3: _to_4,
    4: _to_5,
}
"""By the layout that a step begins with."""
