"""The query language of `get_all`: a request's filters become one SQL condition.

What is understood, for any known field and any dotted name below it:

- a list: any of the values; `None` in it matches an absent field. Names such as `-x` or the pair
  `"__$not", "x"` exclude. `__$and`/`__$or` (and first of all `__$all`/`__$any`) say how those that
  follow are joined; groups are joined by "and".
- `[low, high]` on a number, either may be null: a closed range.
- a text: a regular expression for names and comments, a comparison such as `>=2026-01-01` for
  dates, otherwise equality.
- `_any_`, `_or_`, `_all_`, `_and_`: `{fields, pattern}` or `{fields, datetime}` over many fields; a
  list, of tags for example, matches if one of its items does.
- `search_text`: a text anywhere in name, id, comment or tags.
- `filters`: by field, `{"any": {"include": [...], "exclude": [...]}, "all": {...}}`.

Keys that name no field of the collection are ignored, as clients send several.
"""

from __future__ import annotations

# Field names are checked against `_PATH` before they are written into SQL; values are bound.
# ruff: noqa: S608
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import clock
from .documents import Collection
from .encoding import dumps
from .errors import BadRequestError
from .patterns import anywhere, compare, fold
from .values import Column, column

Term = tuple[str, list[Any]]
"""A piece of SQL and the values for its placeholders."""

_JOINERS = {"__$all": "and", "__$and": "and", "__$any": "or", "__$or": "or"}
_COMPARISONS = (">=", "<=", ">", "<")
_EXCLUDABLE = {"id", "status", "type", "user", "project", "parent", "framework", "task"}
_MULTI = {"_any_": " OR ", "_or_": " OR ", "_all_": " AND ", "_and_": " AND "}
_SEARCHED = ("name", "id", "comment", "tags", "system_tags")


@dataclass
class Where:
    """An SQL condition under construction, with its values."""

    collection: Collection
    terms: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """The condition."""
        return " AND ".join(f"({term})" for term in self.terms) or "1"

    def among(self, name: str, values: Iterable[str]) -> Where:
        """Demand that a column is one of some values, however many."""
        return self.add(f'"{name}" IN (SELECT value FROM json_each(?))', dumps(list(values)))

    def add(self, sql: str, *values: Any) -> Where:
        """Demand one more thing, written in SQL."""
        self.terms.append(sql)
        self.values.extend(values)
        return self


def compile_filters(collection: Collection, filters: Mapping[str, Any]) -> Where:
    """Turn the filters of a `get_all` request into a condition.

    Raises:
        BadRequestError: A filter has a value that can't be understood.
    """
    where = Where(collection)
    for key, value in filters.items():
        if value is None:
            continue
        if key in _MULTI:
            _multi(where, _MULTI[key], key, value)
        elif key == "search_text":
            _search(where, value)
        elif key == "filters":
            _filters(where, value)
        elif key.partition(".")[0] in collection.fields:
            _field(where, key, value)
    return where


def compile_order(collection: Collection, order_by: Any, *, backwards: bool = False) -> str:
    """The SQL order for `order_by`, a name or a list of names, `-` before one for descending.

    Names that aren't fields (`@text_score` among them) are left out.

    Args:
        collection: What is ordered.
        order_by: As in a request.
        backwards: The last ones first.
    """
    names = [order_by] if isinstance(order_by, str) else order_by or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequestError("order_by must be a list of field names")
    terms = []
    for name in names:
        path = name.removeprefix("-")
        if path.partition(".")[0] not in collection.fields or not _PATH.fullmatch(path):
            continue
        way = " DESC" if name.startswith("-") != backwards else ""
        terms.append(f"{_sorted_by(collection, path)}{way}")
    return ", ".join([*terms, "rowid DESC" if backwards else "rowid"])


def _sorted_by(collection: Collection, path: str) -> str:
    kept = column(path) if collection.valued else None
    if kept:
        return kept.of(f"{collection.table}.rowid")
    head, _, rest = path.partition(".")
    target = dict(collection.refers).get(head)
    if target and rest == "name":
        return f"(SELECT r.name FROM {target} r WHERE r.id = {collection.table}.{head})"
    sql = _literal(collection, path)
    return f"as_read({sql})" if path.startswith(_AS_READ) else sql


_AS_READ = ("hyperparams.", "metadata.", "configuration.")
"""Texts that are sorted as people read them: `9` before `10`, `-1` before `2e-3`."""

_PATH = re.compile(r"[^\"'\x00]+")


def _literal(collection: Collection, path: str) -> str:
    """The SQL for a field, with the name written into it (it holds no quote)."""
    head, _, rest = path.partition(".")
    if path == "id" or path in collection.columns:
        return f'"{path}"'
    if head in collection.parts:
        inner = f"json_extract(p.value, '{_json_path(rest)}')"
        return (
            f"(SELECT {inner} FROM {collection.parts_table} p "
            f"WHERE p.id = {collection.table}.id AND p.part = '{head}')"
        )
    return f"json_extract({collection.table}.doc, '{_json_path(path)}')"


def _json_path(path: str) -> str:
    keys = [key.replace("%2E", ".").replace("%2e", ".") for key in path.split(".")] if path else []
    return "$" + "".join(f'."{key}"' for key in keys)


def _field(where: Where, path: str, value: Any) -> None:
    if not _PATH.fullmatch(path):
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
    sql = _literal(collection, path)
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

    if any(item is None or _is_marker(item) for item in wanted):
        _groups(where, wanted, test, dash=False)
    elif wanted:
        term, bound = column.among(row, [_scalar(item) for item in wanted])
        where.add(term, *bound)


_NUMERIC = {"last_metrics", "last_iteration", "active_duration", "runtime"}


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
        comparison, moment = _date(constraint)
        where.add(f"{sql} {comparison} ?", moment)


def _date(constraint: Any) -> tuple[str, str]:
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


_MANY = 1000
"""Values from which on a list is bound as one: SQLite takes only so many."""


def _members(where: Where, sql: str, wanted: list[Any], *, excludable: bool) -> None:
    if not wanted:
        return
    # The common case, a plain list, stays one IN term so that an index can serve it.
    marked = any(_is_marker(item) for item in wanted)
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

    _groups(where, wanted, test, dash=excludable)


def _tags(where: Where, path: str, wanted: list[Any]) -> None:
    sql = _literal(where.collection, path)

    def test(item: Any) -> Term:
        if item is None:
            return f"{sql} IS NULL OR {sql} = '[]'", []
        if not isinstance(item, str):
            raise BadRequestError(f"{path}: a tag is a text")
        return has_tag(sql), [tag_text(item)]

    _groups(where, wanted, test, dash=True)


def has_tag(sql: str) -> str:
    """SQL for "the JSON list of texts `sql` holds a text", which is bound as `tag_text`.

    Inside a JSON text a quote is always escaped, so a comma followed by a bare quote can only
    begin an element; the list's opening bracket is replaced by such a comma.
    """
    return f"(COALESCE({sql}, '[]') <> '[]' AND instr(',' || substr({sql}, 2), ?) > 0)"


def tag_text(tag: str) -> str:
    """A tag as `has_tag` looks for it."""
    return f",{dumps(tag)}"


def _within(where: Where, listed: str, rest: str, value: Any) -> None:
    wanted = [_scalar(item) for item in (value if isinstance(value, list) else [value]) if item]
    if not wanted:
        return
    where.add(
        f"EXISTS (SELECT 1 FROM json_each({_literal(where.collection, listed)}) e "
        f"WHERE json_extract(e.value, '{_json_path(rest)}') IN ({','.join('?' * len(wanted))}))",
        *wanted,
    )


def _is_marker(item: Any) -> bool:
    return isinstance(item, str) and item.startswith("__$")


def _groups(where: Where, wanted: list[Any], test: Callable[[Any], Term], *, dash: bool) -> None:
    """Join the tests of a list with markers: see the module's description."""
    joiner = ""  # no marker yet: wanted ones by "or", excluded ones each demanded
    negate = False
    group: list[Term] = []

    def close() -> None:
        if group:
            joint = " AND " if joiner == "and" else " OR "
            where.add(joint.join(sql for sql, _ in group), *[v for _, vs in group for v in vs])
            group.clear()

    for item in wanted:
        if _is_marker(item) and item != "__$not":
            if item not in _JOINERS:
                raise BadRequestError(f"unknown operator {item}")
            close()
            joiner = _JOINERS[item]
            continue
        if item == "__$not":
            negate = True
            continue
        excluded, name = negate, item
        negate = False
        if dash and isinstance(name, str) and len(name) > 1 and name.startswith("-"):
            excluded, name = True, name[1:]
        sql, values = test(name)
        if not excluded:
            group.append((f"({sql})", values))
        elif joiner:
            group.append((f"NOT ({sql})", values))
        else:
            where.add(f"NOT ({sql})", *values)
    close()


def _multi(where: Where, joint: str, key: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise BadRequestError(f"{key} must hold fields and a pattern")
    fields = value.get("fields") or []
    if not isinstance(fields, list) or not all(
        isinstance(name, str) and _PATH.fullmatch(name) for name in fields
    ):
        raise BadRequestError(f"{key}.fields must be a list of field names")
    pattern, moments = value.get("pattern"), value.get("datetime")
    terms: list[str] = []
    values: list[Any] = []
    for name in fields:
        sql = _literal(where.collection, name)
        if isinstance(pattern, str) and pattern:
            term, bound = _matched(where.collection, name, fold(pattern))
            terms.append(term)
            values.extend(bound)
        for constraint in moments if isinstance(moments, list) else [moments] if moments else []:
            comparison, moment = _date(constraint)
            terms.append(f"COALESCE({sql} {comparison} ?, 0)")
            values.append(moment)
    if terms:
        where.add(joint.join(f"({term})" for term in terms), *values)


def _matched(collection: Collection, path: str, pattern: str) -> Term:
    """Whether a field matches a pattern; of a list, whether one of its items does."""
    if path in collection.tags:
        term, bound = compare("e.value", pattern)
        return _one_of(_literal(collection, path), term), bound
    for listed in collection.lists:
        if path.startswith(f"{listed}."):
            item = _json_path(path.removeprefix(f"{listed}."))
            term, bound = compare(f"json_extract(e.value, '{item}')", pattern)
            return _one_of(_literal(collection, listed), term), bound
    return compare(_literal(collection, path), pattern)


def _one_of(sql: str, term: str) -> str:
    """SQL for "a term holds for an item `e` of the JSON list `sql`"."""
    # Most lists are empty, and that is seen without reading them as JSON.
    return f"{sql} <> '[]' AND EXISTS (SELECT 1 FROM json_each({sql}) e WHERE {term})"


_JOINTS = {"any": "__$or", "all": "__$and"}


def _filters(where: Where, value: Any) -> None:
    """The newer form of tag lists and the like: what to take and what to leave, by field."""
    if not isinstance(value, dict):
        raise BadRequestError("filters must be an object")
    for name, groups in value.items():
        if not isinstance(groups, dict) or not all(
            isinstance(groups.get(joint) or {}, dict) for joint in _JOINTS
        ):
            raise BadRequestError(f"filters.{name} must hold any or all")
        if name.partition(".")[0] not in where.collection.fields:
            continue
        terms = [
            _alone(where.collection, name, [marker, *_named(group, name)])
            for joint, marker in _JOINTS.items()
            if (group := groups.get(joint))
        ]
        terms = [term for term in terms if term.terms]
        if terms:
            either = " OR " if groups.get("op") == "or" else " AND "
            where.add(
                either.join(f"({term.sql})" for term in terms),
                *[bound for term in terms for bound in term.values],
            )


def _named(group: dict[str, Any], name: str) -> list[Any]:
    include, exclude = group.get("include") or [], group.get("exclude") or []
    if not isinstance(include, list) or not isinstance(exclude, list):
        raise BadRequestError(f"filters.{name}: include and exclude are lists")
    return [*include, *(part for item in exclude for part in ("__$not", item))]


def _alone(collection: Collection, name: str, value: Any) -> Where:
    where = Where(collection)
    _field(where, name, value)
    return where


def _search(where: Where, text: Any) -> None:
    if not isinstance(text, str):
        raise BadRequestError("search_text must be a text")
    if not text:
        return
    names = [name for name in _SEARCHED if name == "id" or name in where.collection.fields]
    where.add(
        " OR ".join(f"{_literal(where.collection, name)} LIKE ? ESCAPE '!'" for name in names),
        *[anywhere(text)] * len(names),
    )
