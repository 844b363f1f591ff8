"""Where a field lies: a dotted name as SQL, and what a list of names orders by."""

# Field names are checked against `PATH` before they are written into SQL; values are bound.
# ruff: noqa: S608

from __future__ import annotations

import re
from typing import Any

from ..documents import Collection
from ..errors import BadRequestError
from ..values import column

PATH = re.compile(r"[^\"'\x00]+")

_AS_READ = ("hyperparams.", "metadata.", "configuration.")
"""Texts that are sorted as people read them: `9` before `10`, `-1` before `2e-3`."""


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
        if path.partition(".")[0] not in collection.fields or not PATH.fullmatch(path):
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
    sql = literal(collection, path)
    return f"as_read({sql})" if path.startswith(_AS_READ) else sql


def literal(collection: Collection, path: str) -> str:
    """The SQL for a field, with the name written into it (it holds no quote)."""
    head, _, rest = path.partition(".")
    if path == "id" or path in collection.columns:
        return f'"{path}"'
    if head in collection.parts:
        inner = f"json_extract(p.value, '{json_path(rest)}')"
        return (
            f"(SELECT {inner} FROM {collection.parts_table} p "
            f"WHERE p.id = {collection.table}.id AND p.part = '{head}')"
        )
    return f"json_extract({collection.table}.doc, '{json_path(path)}')"


def json_path(path: str) -> str:
    """A dotted name as SQLite's JSON path; `%2E` in a part stands for a dot."""
    keys = [key.replace("%2E", ".").replace("%2e", ".") for key in path.split(".")] if path else []
    return "$" + "".join(f'."{key}"' for key in keys)
