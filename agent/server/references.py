"""References between documents, followed: what the `_ex` actions show in the place of an id.

A task's `project` is an id in `tasks.get_all` and `{"id": ..., "name": ...}` in
`tasks.get_all_ex`. A request may name more (`project.default_output_destination`,
`parent.project.name`), and then gets just that. A reference to what is no longer there shows its
id alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import projection
from .documents import MODELS, PROJECTS, QUEUES, TASKS, USERS, WORKERS, Collection
from .query import Where
from .store import Document, Session

COMPANY_NAME = "sightline"

REFERENCES: dict[str, dict[str, Collection]] = {
    TASKS.table: {
        "project": PROJECTS,
        "parent": TASKS,
        "user": USERS,
        "execution.queue": QUEUES,
        "models.input.model": MODELS,
        "models.output.model": MODELS,
    },
    MODELS.table: {"project": PROJECTS, "task": TASKS, "user": USERS, "parent": MODELS},
    PROJECTS.table: {"parent": PROJECTS, "user": USERS},
    QUEUES.table: {"user": USERS, "entries.task": TASKS},
    WORKERS.table: {"user": USERS, "task": TASKS, "queue": QUEUES},
}
"""By table: where its documents hold ids of which other kind."""

_COMPANY = "company"


def expand(
    db: Session, collection: Collection, documents: list[Document], only_fields: list[str] | None
) -> list[Document]:
    """Follow the documents' references, then keep the named fields.

    Args:
        db: A session.
        collection: What the documents are.
        documents: The documents, with the top-level fields that the projection needs.
        only_fields: As in a request; names may go through references. None for all.
    """
    paths = REFERENCES.get(collection.table, {})
    named = set(only_fields or [])
    for path, target in paths.items():
        below = {name.removeprefix(f"{path}.") for name in named if name.startswith(f"{path}.")}
        if named and not below and not _touches(named, path):
            continue
        _follow(db, documents, path.split("."), target, sorted(below))
        named = {path if name.startswith(f"{path}.") else name for name in named}
    for document in documents:
        if isinstance(document.get(_COMPANY), str):
            document[_COMPANY] = {"id": document[_COMPANY], "name": COMPANY_NAME}
    kept = sorted(named, key=lambda name: (name.count("."), name)) if only_fields else None
    return [projection.project(collection, document, kept) for document in documents]


def _touches(named: Iterable[str], path: str) -> bool:
    """Whether a name asks for a reference itself or for something that holds it."""
    return any(
        name.startswith("-") or name == path or path.startswith(f"{name}.") for name in named
    )


def _follow(
    db: Session, documents: list[Document], path: list[str], target: Collection, below: list[str]
) -> None:
    holders = [holder for document in documents for holder in _holders(document, path[:-1])]
    last = path[-1]
    wanted = {holder[last] for holder in holders if isinstance(holder.get(last), str)}
    found: dict[str, Document] = {}
    if wanted:
        fields = below or ["name"]
        where = Where(target).among("id", sorted(wanted))
        selected = db.select(target, where.sql, where.values, heads=projection.heads(fields))
        found = {each["id"]: each for each in expand(db, target, selected, fields)}
    for holder in holders:
        identity = holder.get(last)
        if isinstance(identity, str) and identity:
            holder[last] = found.get(identity, {"id": identity})


def _holders(value: Any, path: list[str]) -> list[dict[str, Any]]:
    """The objects at a path, through lists."""
    if isinstance(value, list):
        return [holder for item in value for holder in _holders(item, path)]
    if not isinstance(value, dict):
        return []
    if not path:
        return [value]
    return _holders(value.get(path[0]), path[1:])
