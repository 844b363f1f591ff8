"""Single values out of tasks' documents, a narrow row each: what tables are ordered by.

A table of 100,000 tasks that is ordered or filtered by one hyperparameter, or by the last value of
one metric, would have to read all parameters of all tasks for it. The values of one name lie side
by side here instead. They are written together with the document they come from.
"""

# Column and table names stand in this module; names of fields are checked to hold no quote.
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .encoding import dumps, loads
from .patterns import as_key

if TYPE_CHECKING:
    from .store import Session

TABLES = """
CREATE TABLE value_names (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, label TEXT NOT NULL
);
CREATE TABLE parameter_values (
    name INTEGER NOT NULL, task INTEGER NOT NULL, value NOT NULL, text TEXT,
    PRIMARY KEY (name, task)
) WITHOUT ROWID;
CREATE TABLE metric_values (
    name INTEGER NOT NULL, task INTEGER NOT NULL, value REAL, min_value REAL, max_value REAL,
    PRIMARY KEY (name, task)
) WITHOUT ROWID;
"""
"""`task` is a task's row number. A parameter's `value` is its sort key, `text` what it is if that
can't be told from the key. A name's `label` is the pair it is known by: section and name, or
metric and variant."""

_METRICS = ("value", "min_value", "max_value")
_PARAMETER = re.compile(r"hyperparams\.([^.]+)\.([^.]+)\.value")
_METRIC = re.compile(rf"last_metrics\.([^.]+)\.([^.]+)\.({'|'.join(_METRICS)})")

Row = tuple[Any, ...]
Label = tuple[str, str]
"""Section and name, or metric and variant as they stand in a path."""


@dataclass(frozen=True)
class _Part:
    """How the values of a part of a task's document are kept.

    Attributes:
        table: Where.
        columns: The table's columns beside name and task.
        items: What has values in the part.
        row: The columns' values, out of an item.
        known_as: The pair by which people know an item.
    """

    table: str
    columns: tuple[str, ...]
    items: Callable[[Any], Iterable[tuple[Label, Any]]]
    row: Callable[[Any], Row]
    known_as: Callable[[Label, Any], Sequence[Any]]

    @property
    def insert(self) -> str:
        """The statement that writes a row."""
        names = ", ".join(("name", "task", *self.columns))
        marks = ", ".join("?" * (len(self.columns) + 2))
        return f"INSERT OR REPLACE INTO {self.table} ({names}) VALUES ({marks})"

    def numbers(
        self, connection: sqlite3.Connection, items: Mapping[Label, Any]
    ) -> dict[Label, int]:
        """The numbers of names; those that have none as yet get one."""
        names = {_name(*label): label for label in items}
        sql = "SELECT name, id FROM value_names WHERE name IN (SELECT value FROM json_each(?))"
        rows = connection.execute(sql, (dumps(list(names)),)).fetchall()
        found = {names[name]: int(number) for name, number in rows}
        for name, label in names.items():
            if label not in found:
                pair = dumps(list(self.known_as(label, items[label])))
                made = connection.execute(
                    "INSERT INTO value_names (name, label) VALUES (?, ?)", (name, pair)
                )
                found[label] = int(made.lastrowid or 0)
        return found


def labels(db: Session, table: str, where: str, bound: Sequence[Any]) -> list[tuple[str, str]]:
    """The labels of the names under which some tasks have values, sorted.

    Args:
        db: A session.
        table: `parameter_values` or `metric_values`.
        where: A condition on tasks.
        bound: Its values.
    """
    rows = db.rows(
        f"SELECT label FROM value_names n WHERE EXISTS (SELECT 1 FROM {table} v WHERE "
        f"v.name = n.id AND v.task IN (SELECT rowid FROM tasks WHERE {where}))",
        bound,
    )
    return sorted(tuple(loads(label)) for (label,) in rows)


def parameters(db: Session, section: str, name: str, where: str, bound: Sequence[Any]) -> list[str]:
    """The different values that a hyperparameter has in some tasks, as people sort them."""
    rows = db.rows(
        "SELECT DISTINCT value, text FROM parameter_values WHERE "
        "name = (SELECT id FROM value_names WHERE name = ?) "
        f"AND task IN (SELECT rowid FROM tasks WHERE {where}) ORDER BY 1, 2",
        (_name(section, name), *bound),
    )
    return [str(value) if text is None else text for value, text in rows]


@dataclass(frozen=True)
class Column:
    """The values of one field of tasks, and SQL about them. Field names hold no quotes."""

    table: str
    name: str
    kind: str

    def of(self, row: str) -> str:
        """The value of one task, NULL if it has none, for ordering."""
        return f"(SELECT {self.kind} FROM {self._rows} AND task = {row})"

    def absent(self, row: str) -> str:
        """Whether a task has none."""
        return f"+{row} NOT IN (SELECT task FROM {self._rows})"

    def among(self, row: str, wanted: list[Any]) -> tuple[str, list[Any]]:
        """Whether a task's value is one of some."""
        if self.table == "metric_values":
            marks = ", ".join("?" * len(wanted))
            return self._chosen(row, f"{self.kind} IN ({marks})"), list(wanted)
        pairs = [stored(item) for item in wanted]
        either = " OR ".join(["value = ? AND text IS ?"] * len(pairs))
        return self._chosen(row, f"({either})"), [bound for pair in pairs for bound in pair]

    def between(self, row: str, bounds: list[Any]) -> tuple[str, list[Any]]:
        """Whether a task's value is a number from the first bound to the second; null is none."""
        terms = [f"typeof({self.kind}) <> 'text'"]
        terms += [
            f"{self.kind} {comparison} ?"
            for bound, comparison in zip(bounds, (">=", "<="), strict=True)
            if bound is not None
        ]
        chosen = self._chosen(row, " AND ".join(terms))
        return chosen, [bound for bound in bounds if bound is not None]

    def _chosen(self, row: str, condition: str) -> str:
        # The sign keeps SQLite from going to each task there instead of through a list's index.
        return f"+{row} IN (SELECT task FROM {self._rows} AND {condition})"

    @property
    def _rows(self) -> str:
        number = f"(SELECT id FROM value_names WHERE name = '{self.name}')"
        return f"{self.table} WHERE name = {number}"


def column(path: str) -> Column | None:
    """Where the values of a dotted field name of tasks lie; None if it has none here."""
    if found := _PARAMETER.fullmatch(path):
        return Column("parameter_values", _name(_plain(found[1]), _plain(found[2])), "value")
    if found := _METRIC.fullmatch(path):
        return Column("metric_values", _name(_plain(found[1]), _plain(found[2])), found[3])
    return None


def _plain(piece: str) -> str:
    return piece.replace("%2E", ".").replace("%2e", ".")


def _name(section: str, name: str) -> str:
    return f"{section}\x1f{name}"


def stored(value: Any) -> Row:
    """The sort key and the text of a parameter's value, as they are kept."""
    text = value if isinstance(value, str) else dumps(value)
    key = as_key(text)
    return key, None if str(key) == text else text


def put(db: Session, part: str, task: int, old: Any, new: Any) -> None:
    """Bring the values up to date with a part of a task's document.

    Args:
        db: The writer's session.
        part: `hyperparams` or `last_metrics`; others have no values.
        task: The task's row number.
        old: The part as it was; None if there was none.
        new: The part as it is; None if it went.
    """
    if part not in _PARTS:
        return
    kept = _PARTS[part]
    before, now = dict(kept.items(old)), dict(kept.items(new))
    gone = [(task, _name(*label)) for label in before.keys() - now.keys()]
    changed = {label: item for label, item in now.items() if before.get(label) != item}
    if gone:
        db.connection.executemany(
            f"DELETE FROM {kept.table} WHERE task = ? "
            "AND name = (SELECT id FROM value_names WHERE name = ?)",
            gone,
        )
    if changed:
        numbers = kept.numbers(db.connection, changed)
        rows = [(numbers[label], task, *kept.row(item)) for label, item in changed.items()]
        db.connection.executemany(kept.insert, rows)


def fill(connection: sqlite3.Connection, part: str, tasks: list[tuple[int, Any]]) -> None:
    """Write the values of many tasks that have none yet.

    Args:
        connection: A connection to the database.
        part: As for `put`.
        tasks: Row numbers of tasks, each with the part of its document.
    """
    kept = _PARTS[part]
    found = [(label, task, item) for task, whole in tasks for label, item in kept.items(whole)]
    numbers = kept.numbers(connection, {label: item for label, _, item in found})
    # Those of a name lie together, so that each page is written once.
    found.sort(key=lambda each: (numbers[each[0]], each[1]))
    connection.executemany(
        kept.insert, [(numbers[label], task, *kept.row(item)) for label, task, item in found]
    )


def _parameters(hyperparams: Any) -> Iterable[tuple[Label, Any]]:
    for section, items in _items(hyperparams):
        for name, item in _items(items):
            value = item.get("value") if isinstance(item, dict) else None
            if value is not None:
                yield (section, name), value


def _metrics(last_metrics: Any) -> Iterable[tuple[Label, Any]]:
    for metric, variants in _items(last_metrics):
        for variant, entry in _items(variants):
            if isinstance(entry, dict):
                yield (metric, variant), entry


def _figures(entry: dict[str, Any]) -> Row:
    return tuple(map(_real, map(entry.get, _METRICS)))


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


_PARTS = {
    "hyperparams": _Part(
        "parameter_values", ("value", "text"), _parameters, stored, lambda label, _: label
    ),
    "last_metrics": _Part(
        "metric_values",
        _METRICS,
        _metrics,
        _figures,
        lambda _, entry: (entry.get("metric"), entry.get("variant")),
    ),
}
"""By part of a task's document."""
