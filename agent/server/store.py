"""The document store: SQLite in WAL mode, one writer, any number of readers.

All writes happen on one connection in one thread, so a read-modify-write of a document can't be
lost. A write is acknowledged after its commit. With `synchronous=NORMAL` a commit reaches the
operating system before it returns: killing this process loses nothing, a power cut may lose the
last commits (never the database's integrity). `FULL` also waits for the disk.
"""
# Table and column names below come from `documents`, never from a client; values are bound.
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import matching, schema
from .documents import Collection
from .encoding import dumps, loads
from .errors import NotFoundError
from .patterns import natural
from .values import put as put_values

Document = dict[str, Any]

_CHUNK = 500  # names in one SQL IN list; SQLite allows many more, this keeps statements cacheable

_PLANS: dict[str, str] = {}
"""By query: the hint with which it is best run."""

_MOST_PLANS = 2000


class Store:
    """The database file and its connections, one per thread that reads and one that writes."""

    def __init__(self, path: Path, *, power_safe: bool = False) -> None:
        self._path = path
        self._synchronous = "FULL" if power_safe else "NORMAL"
        self._readers = threading.local()
        self._open: list[sqlite3.Connection] = []
        self.writer = Session(self._connect())
        schema.create(self.writer.connection)

    def reader(self) -> Session:
        """This thread's session for reading; it sees every committed write."""
        session: Session | None = getattr(self._readers, "session", None)
        if session is None:
            session = Session(self._connect())
            session.connection.execute("PRAGMA query_only = ON")
            self._readers.session = session
        return session

    def close(self) -> None:
        """Close every connection; the last one folds the WAL into the database."""
        for connection in self._open:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.create_function("matches", 2, matching.matches, deterministic=True)
        connection.create_function("as_read", 1, natural, deterministic=True)
        self._open.append(connection)
        return connection


class Session:
    """Reads and writes documents over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return all its rows."""
        matching.begin()
        return self.connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Run a query and return its first row."""
        matching.begin()
        found: tuple[Any, ...] | None = self.connection.execute(sql, values).fetchone()
        return found

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; returns how many rows it changed."""
        matching.begin()
        return self.connection.execute(sql, values).rowcount

    def insert_row(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run an INSERT; returns the new row's number."""
        return int(self.connection.execute(sql, values).lastrowid or 0)

    def get(
        self,
        collection: Collection,
        identity: str,
        heads: Iterable[str] | None = None,
        *,
        read: Callable[[str], Any] = loads,
    ) -> Document | None:
        """A document by its id, or None.

        Args:
            collection: Where to look.
            identity: The id.
            heads: Top-level fields that are needed; None for all. Fields that aren't held apart
                come anyway.
            read: What to make of the text of a field that is held apart.
        """
        row = self.row(f"SELECT doc FROM {collection.table} WHERE id = ?", (identity,))
        if row is None:
            return None
        document: Document = loads(row[0])
        self._add_parts(collection, {identity: document}, heads, read)
        return document

    def require(
        self,
        collection: Collection,
        identity: str,
        heads: Iterable[str] | None = None,
        *,
        read: Callable[[str], Any] = loads,
    ) -> Document:
        """A document by its id; see `get`.

        Raises:
            NotFoundError: There is none.
        """
        document = self.get(collection, identity, heads, read=read)
        if document is None:
            raise NotFoundError(collection.noun, identity)
        return document

    def exists(self, collection: Collection, identity: str) -> bool:
        """Whether there is a document of this id."""
        return self.row(f"SELECT 1 FROM {collection.table} WHERE id = ?", (identity,)) is not None

    def select(
        self,
        collection: Collection,
        where: str = "1",
        values: Sequence[Any] = (),
        *,
        order: str = "rowid",
        limit: int = -1,
        offset: int = 0,
        heads: Iterable[str] | None = None,
    ) -> list[Document]:
        """The documents for which an SQL condition on the table holds, in an SQL order."""
        table = collection.table
        if limit < 0 or not collection.lists_by:
            rows = self.rows(
                f"SELECT id, doc FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
                (*values, limit, offset),
            )
        else:
            # Which ones is found in an index alone; then only their documents are read.
            sql = f"WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
            numbers = [
                row[0] for row in self.listed(collection, "rowid", sql, (*values, limit, offset))
            ]
            found: dict[int, tuple[str, str]] = {}
            for start in range(0, len(numbers), _CHUNK):
                chunk = numbers[start : start + _CHUNK]
                for number, *row in self.rows(
                    f"SELECT rowid, id, doc FROM {table} WHERE rowid IN ({marks(chunk)})", chunk
                ):
                    found[number] = (row[0], row[1])
            rows = [found[number] for number in numbers if number in found]
        documents: dict[str, Document] = {identity: loads(text) for identity, text in rows}
        self._add_parts(collection, documents, heads)
        return list(documents.values())

    def listed(
        self, collection: Collection, what: str, rest: str, values: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a query over a collection, through the index for lists where that is best.

        Left to itself, SQLite would rather go through the table, or through a narrow index in the
        wanted order, and read every document on the way.

        Args:
            collection: Where to look.
            what: What stands between SELECT and FROM: columns that the index holds.
            rest: What follows the table's name, WHERE first.
            values: For the placeholders.
        """
        table = collection.table
        sql = f"SELECT {what} FROM {table} {rest}"
        if not collection.lists_by:
            return self.rows(sql, values)
        if sql not in _PLANS:
            if len(_PLANS) > _MOST_PLANS:
                _PLANS.clear()
            _PLANS[sql] = self._hint(collection, sql, values)
        return self.rows(f"SELECT {what} FROM {table}{_PLANS[sql]} {rest}", values)

    def _hint(self, collection: Collection, sql: str, values: Sequence[Any]) -> str:
        table = collection.table
        plans = [row[3] for row in self.rows(f"EXPLAIN QUERY PLAN {sql}", values)]
        plan = next((plan for plan in plans if f" {table}" in plan), "")
        if f"{table}.doc" in sql or f" {table}_by_" in plan:  # each document is read anyway
            return ""
        for names in collection.lists_by:  # found by a narrow index that a list's index begins like
            if plan.startswith(f"SEARCH {table}") and re.search(rf"\({names[0]}[=>]", plan):
                return f" INDEXED BY {schema.list_index(collection, names)}"
        narrow = " INDEX " in plan
        ordered = narrow and " WHERE 1 ORDER" in sql  # the first rows of a narrow index will do
        if not plan.startswith(f"SCAN {table}") or ordered:
            return ""
        return f" INDEXED BY {schema.list_index(collection, collection.lists_by[0])}"

    def count(self, collection: Collection, where: str = "1", values: Sequence[Any] = ()) -> int:
        """How many documents there are for which an SQL condition holds."""
        if collection.lists_by:
            return int(self.listed(collection, "COUNT(*)", f"WHERE {where}", values)[0][0])
        row = self.row(f"SELECT COUNT(*) FROM {collection.table} WHERE {where}", values)
        return int(row[0]) if row else 0

    def insert(self, collection: Collection, document: Document) -> None:
        """Add a document; its `id` must be new."""
        body = {k: v for k, v in document.items() if v is not None and k not in collection.parts}
        self.run(
            f"INSERT INTO {collection.table} (id, doc) VALUES (?, ?)",
            (document["id"], dumps(body)),
        )
        for part in collection.parts & document.keys():
            self._put_part(collection, document["id"], part, document[part])

    def patch(self, collection: Collection, identity: str, changes: Mapping[str, Any]) -> Document:
        """Set top-level fields of a document; a value of None takes the field away.

        Returns:
            The document as it is now, without parts that weren't among the changes.

        Raises:
            NotFoundError: There is no such document.
        """
        document = self.require(collection, identity, heads=())
        for part in collection.parts & changes.keys():
            self._put_part(collection, identity, part, changes[part])
        for key, value in changes.items():
            if key in collection.parts:
                continue
            if value is None:
                document.pop(key, None)
            else:
                document[key] = value
        self.run(f"UPDATE {collection.table} SET doc = ? WHERE id = ?", (dumps(document), identity))
        return document

    def delete(self, collection: Collection, identity: str) -> bool:
        """Remove a document; returns whether there was one."""
        for part in collection.valued:
            self._put_part(collection, identity, part, None)
        if collection.parts:
            self.run(f"DELETE FROM {collection.parts_table} WHERE id = ?", (identity,))
        return self.run(f"DELETE FROM {collection.table} WHERE id = ?", (identity,)) > 0

    def names(self, collection: Collection, identities: Iterable[str]) -> dict[str, str]:
        """The names of documents by id."""
        wanted = sorted({identity for identity in identities if identity})
        found: dict[str, str] = {}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            found.update(
                self.rows(
                    f"SELECT id, name FROM {collection.table} WHERE id IN ({marks(chunk)})", chunk
                )
            )
        return found

    def _put_part(self, collection: Collection, identity: str, part: str, value: Any) -> None:
        table = collection.parts_table
        if part in collection.valued:
            row = self.row(
                f"SELECT d.rowid, p.value FROM {collection.table} d LEFT JOIN {table} p "
                "ON p.id = d.id AND p.part = ? WHERE d.id = ?",
                (part, identity),
            )
            if row is not None:
                put_values(self, part, row[0], loads(row[1]) if row[1] else None, value)
        if value is None:
            self.run(f"DELETE FROM {table} WHERE id = ? AND part = ?", (identity, part))
            return
        self.run(
            f"INSERT INTO {table} (id, part, value) VALUES (?, ?, ?) "
            "ON CONFLICT (id, part) DO UPDATE SET value = excluded.value",
            (identity, part, dumps(value)),
        )

    def _add_parts(
        self,
        collection: Collection,
        documents: dict[str, Document],
        heads: Iterable[str] | None,
        read: Callable[[str], Any] = loads,
    ) -> None:
        parts = sorted(collection.parts if heads is None else collection.parts & set(heads))
        if not parts:
            return
        identities = list(documents)
        for start in range(0, len(identities), _CHUNK):
            chunk = identities[start : start + _CHUNK]
            for identity, part, value in self.rows(
                f"SELECT id, part, value FROM {collection.parts_table} "
                f"WHERE id IN ({marks(chunk)}) AND part IN ({marks(parts)})",
                (*chunk, *parts),
            ):
                documents[identity][part] = read(value)


def marks(values: Sequence[Any]) -> str:
    """Placeholders for an SQL IN list."""
    return ",".join("?" * len(values))
