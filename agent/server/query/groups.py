"""Lists with markers: what is wanted, what is excluded, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import BadRequestError
from .where import Term, Where

_JOINERS = {"__$all": "and", "__$and": "and", "__$any": "or", "__$or": "or"}


def is_marker(item: Any) -> bool:
    """Whether an item of a list says how the others are joined."""
    return isinstance(item, str) and item.startswith("__$")


def add_groups(where: Where, wanted: list[Any], test: Callable[[Any], Term], *, dash: bool) -> None:
    """Demand the tests of a list with markers, joined as the package's description says."""
    joiner = ""  # no marker yet: wanted ones by "or", excluded ones each demanded
    negate = False
    group: list[Term] = []

    def close() -> None:
        if group:
            joint = " AND " if joiner == "and" else " OR "
            where.add(joint.join(sql for sql, _ in group), *[v for _, vs in group for v in vs])
            group.clear()

    for item in wanted:
        if is_marker(item) and item != "__$not":
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
