"""Filters over many fields at once: `_any_` and `_all_`, `search_text`, `filters`."""

# Field names are checked against `PATH` before they are written into SQL; values are bound.
# ruff: noqa: S608

from __future__ import annotations

from typing import Any

from ..documents import Collection
from ..errors import BadRequestError
from ..patterns import anywhere, compare, fold
from .fields import add_field, parse_date
from .paths import PATH, json_path, literal
from .where import Term, Where

MULTI = {"_any_": " OR ", "_or_": " OR ", "_all_": " AND ", "_and_": " AND "}
_SEARCHED = ("name", "id", "comment", "tags", "system_tags")
_JOINTS = {"any": "__$or", "all": "__$and"}


def add_multi(where: Where, joint: str, key: str, value: Any) -> None:
    """Demand `_any_` and its like: a pattern or dates in any or all of some fields.

    Raises:
        BadRequestError: there are no fields, or no date is one.
    """
    if not isinstance(value, dict):
        raise BadRequestError(f"{key} must hold fields and a pattern")
    fields = value.get("fields") or []
    if not isinstance(fields, list) or not all(
        isinstance(name, str) and PATH.fullmatch(name) for name in fields
    ):
        raise BadRequestError(f"{key}.fields must be a list of field names")
    pattern, moments = value.get("pattern"), value.get("datetime")
    terms: list[str] = []
    values: list[Any] = []
    for name in fields:
        sql = literal(where.collection, name)
        if isinstance(pattern, str) and pattern:
            term, bound = _matched(where.collection, name, fold(pattern))
            terms.append(term)
            values.extend(bound)
        for constraint in moments if isinstance(moments, list) else [moments] if moments else []:
            comparison, moment = parse_date(constraint)
            terms.append(f"COALESCE({sql} {comparison} ?, 0)")
            values.append(moment)
    if terms:
        where.add(joint.join(f"({term})" for term in terms), *values)


def _matched(collection: Collection, path: str, pattern: str) -> Term:
    """Whether a field matches a pattern; of a list, whether one of its items does."""
    if path in collection.tags:
        term, bound = compare("e.value", pattern)
        return _one_of(literal(collection, path), term), bound
    for listed in collection.lists:
        if path.startswith(f"{listed}."):
            item = json_path(path.removeprefix(f"{listed}."))
            term, bound = compare(f"json_extract(e.value, '{item}')", pattern)
            return _one_of(literal(collection, listed), term), bound
    return compare(literal(collection, path), pattern)


def _one_of(sql: str, term: str) -> str:
    """SQL for "a term holds for an item `e` of the JSON list `sql`"."""
    # Most lists are empty, and that is seen without reading them as JSON.
    return f"{sql} <> '[]' AND EXISTS (SELECT 1 FROM json_each({sql}) e WHERE {term})"


def add_filters(where: Where, value: Any) -> None:
    """Demand `filters`: what to take and what to leave, by field.

    Raises:
        BadRequestError: it isn't of that form.
    """
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
    add_field(where, name, value)
    return where


def add_search(where: Where, text: Any) -> None:
    """Demand `search_text`: a text anywhere in what people look for things by.

    Raises:
        BadRequestError: it is no text.
    """
    if not isinstance(text, str):
        raise BadRequestError("search_text must be a text")
    if not text:
        return
    names = [name for name in _SEARCHED if name == "id" or name in where.collection.fields]
    where.add(
        " OR ".join(f"{literal(where.collection, name)} LIKE ? ESCAPE '!'" for name in names),
        *[anywhere(text)] * len(names),
    )
