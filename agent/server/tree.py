"""The tree of projects: whose child is whose, and what is hidden."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .encoding import dumps
from .query import Where, has_tag, tag_text
from .store import Session

HIDDEN = "hidden"
"""The system tag of projects that people don't look for: pipelines, datasets, reports."""


def with_children(db: Session, identities: Iterable[str]) -> list[str]:
    """The ids of projects and of all below them; ids that name nothing are kept."""
    rows = db.rows(
        "WITH RECURSIVE below(id) AS (SELECT value FROM json_each(?) UNION "
        "SELECT projects.id FROM projects JOIN below ON projects.parent = below.id) "
        "SELECT id FROM below",
        (dumps(list(identities)),),
    )
    return [row[0] for row in rows]


def below(db: Session, identities: Iterable[str]) -> list[str]:
    """The ids of all projects that lie below some, at any depth."""
    rows = db.rows(
        "WITH RECURSIVE below(id) AS (SELECT id FROM projects WHERE parent IN "
        "(SELECT value FROM json_each(?)) UNION "
        "SELECT projects.id FROM projects JOIN below ON projects.parent = below.id) "
        "SELECT id FROM below",
        (dumps(list(identities)),),
    )
    return [row[0] for row in rows]


def scope(db: Session, projects: list[str], *, children: bool) -> list[str] | None:
    """The projects that a request looks in; None for all of them."""
    if not projects:
        return None
    return with_children(db, projects) if children else projects


def widened(db: Session, wanted: Any) -> Any:
    """A filter by projects that takes in the projects below each; exclusions widen alike."""
    listed = wanted if isinstance(wanted, list) else [wanted]
    result: list[Any] = []
    negated = False
    for item in listed:
        if not isinstance(item, str) or item.startswith("__$"):
            negated = item == "__$not"
            if not negated:
                result.append(item)
            continue
        dash = item.startswith("-")
        for identity in with_children(db, [item.removeprefix("-")]):
            if negated:
                result.append("__$not")
            result.append(f"-{identity}" if dash else identity)
        negated = False
    return result


def hide(where: Where) -> None:
    """Leave out hidden tasks and models, and those that lie in hidden projects."""
    where.add(f"NOT {has_tag('system_tags')}", tag_text(HIDDEN))
    where.add(
        f"project IS NULL OR project NOT IN (SELECT id FROM projects "  # noqa: S608
        f"WHERE {has_tag('projects.system_tags')})",
        tag_text(HIDDEN),
    )
