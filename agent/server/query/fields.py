"""Filters by one field: a value, a list of values, a range, tags, dates."""

# Field names are checked against `PATH` before they are written into SQL; values are bound.
# ruff: noqa: S608

from __future__ import annotations

from typing import Any

from .. import clock
from ..encoding import dumps
from ..errors import BadRequestError
from ..patterns import compare
from ..values import Column, column
from .groups import add_groups, is_marker
from .paths import PATH, json_path, literal
from .tags import has_tag, tag_text
from .where import Term, Where

_COMPARISONS = (">=", "<=", ">", "<")
_EXCLUDABLE = {"id", "status", "type", "user", "project", "parent", "framework", "task"}
_NUMERIC = {"last_metrics", "last_iteration", "active_duration", "runtime"}
_MANY = 1000
"""Values from which on a list is bound as one: SQLite takes only so many."""


def add_field(where: Where, path: str, value: Any) -> None:
    """Demand what a request's filter by one field says.

    Raises:
        BadRequestError: the name or the value can't be understood.
    """
    if not PATH.fullmatch(path):
        raise BadRequestError(f"not a field name: {path!r}")
    collection = where.collection
    if path in collection.tags:
        _tags(where, path, value if isinstance(value, list) else [value])
        return
    for listed in collection.lists:
        if path.startswith(f"{listed}."):
            _within(where, listed, path.removeprefix(f"{listed}."), value)
            return
    kept = column(path) if collection.valued else None
    if kept and not isinstance(value, dict):
        _kept(where, kept, value if isinstance(value, list) else [value])
        return
    sql = literal(collection, path)
    if path in collection.folded:
        sql = f"{sql} COLLATE NOCASE"
    if path in collection.dates:
        _dates(where, sql, value if isinstance(value, list) else [value])
    elif isinstance(value, list):
        if _is_range(value) and path.partition(".")[0] in _NUMERIC:
            _range(where, sql, value)
        else:
            _members(where, sql, value, excludable=path in _EXCLUDABLE)
    elif isinstance(value, dict):
        raise BadRequestError(f"{path}: a filter is a value or a list of values")
    elif path in collection.patterns and isinstance(value, str):
        term, values = compare(sql, value)
        where.add(term, *values)
    else:
        where.add(f"{sql} = ?", _scalar(value))


def _kept(where: Where, column: Column, wanted: list[Any]) -> None:
    row = f"{where.collection.table}.rowid"
    if _is_range(wanted):
        term, bound = column.between(row, wanted)
        where.add(term, *bound)
        return

    def test(item: Any) -> Term:
        return (column.absent(row), []) if item is None else column.among(row, [_scalar(item)])

    if any(item is None or is_marker(item) for item in wanted):
        add_groups(where, wanted, test, dash=False)
    elif wanted:
        term, bound = column.among(row, [_scalar(item) for item in wanted])
        where.add(term, *bound)


def _is_range(value: list[Any]) -> bool:
    return len(value) == 2 and all(
        item is None or (isinstance(item, (int, float)) and not isinstance(item, bool))
        for item in value
    )


def _range(where: Where, sql: str, bounds: list[Any]) -> None:
    for bound, comparison in zip(bounds, (">=", "<="), strict=True):
        if bound is not None:
            where.add(f"{sql} {comparison} ?", bound)


def _dates(where: Where, sql: str, constraints: list[Any]) -> None:
    if _is_range(constraints):
        constraints = [
            f"{comparison}{bound}"
            for bound, comparison in zip(constraints, (">=", "<="), strict=True)
            if bound is not None
        ]
    for constraint in constraints:
        comparison, moment = parse_date(constraint)
        where.add(f"{sql} {comparison} ?", moment)


def parse_date(constraint: Any) -> tuple[str, str]:
    """Take a date with a comparison before it, `=` if there is none, apart.

    Raises:
        BadRequestError: it is no date.
    """
    if not isinstance(constraint, (str, int, float)):
        raise BadRequestError(f"not a date: {constraint!r}")
    text = str(constraint).strip()
    for comparison in _COMPARISONS:
        if text.startswith(comparison):
            return comparison, clock.normalize(text.removeprefix(comparison))
    return "=", clock.normalize(text)


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (str, int, float)):
        return value
    raise BadRequestError(f"not a value to filter by: {value!r}")


def _members(where: Where, sql: str, wanted: list[Any], *, excludable: bool) -> None:
    if not wanted:
        return
    # The common case, a plain list, stays one IN term so that an index can serve it.
    marked = any(is_marker(item) for item in wanted)
    dashed = excludable and any(isinstance(item, str) and item.startswith("-") for item in wanted)
    if not marked and not dashed:
        present = [_scalar(item) for item in wanted if item is not None]
        terms = []
        bound: list[Any] = present
        if len(present) > _MANY:
            terms.append(f"{sql} IN (SELECT value FROM json_each(?))")
            bound = [dumps(present)]
        elif present:
            terms.append(f"{sql} IN ({','.join('?' * len(present))})")
        if len(present) < len(wanted):
            terms.append(f"{sql} IS NULL")
        where.add(" OR ".join(terms), *bound)
        return

    def test(item: Any) -> Term:
        return (f"{sql} IS NULL", []) if item is None else (f"{sql} IS ?", [_scalar(item)])

    add_groups(where, wanted, test, dash=excludable)


def _tags(where: Where, path: str, wanted: list[Any]) -> None:
    sql = literal(where.collection, path)

    def test(item: Any) -> Term:
        if item is None:
            return f"{sql} IS NULL OR {sql} = '[]'", []
        if not isinstance(item, str):
            raise BadRequestError(f"{path}: a tag is a text")
        return has_tag(sql), [tag_text(item)]

    add_groups(where, wanted, test, dash=True)


def _within(where: Where, listed: str, rest: str, value: Any) -> None:
    wanted = [_scalar(item) for item in (value if isinstance(value, list) else [value]) if item]
    if not wanted:
        return
    where.add(
        f"EXISTS (SELECT 1 FROM json_each({literal(where.collection, listed)}) e "
        f"WHERE json_extract(e.value, '{json_path(rest)}') IN ({','.join('?' * len(wanted))}))",
        *wanted,
    )
