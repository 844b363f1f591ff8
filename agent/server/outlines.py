"""Which hyperparameters tasks have, by name: one outline for all tasks of the same names.

A table of tasks offers every parameter of a project as a column. Going through 100,000 tasks of
60 parameters for it takes seconds; most of them have the same few outlines.
"""

from __future__ import annotations

import hashlib
from typing import Any

from .documents import OUTLINE, OUTLINES, TASKS
from .encoding import dumps
from .query import Where
from .store import Session

Name = tuple[str, str]
"""A section and a name in it."""


def note(db: Session, hyperparams: dict[str, Any]) -> str:
    """Keep the outline of a task's hyperparameters; returns its id, which the task holds."""
    names = sorted([section, name] for section, items in hyperparams.items() for name in items)
    identity = hashlib.sha1(dumps(names).encode(), usedforsecurity=False).hexdigest()
    if not db.exists(OUTLINES, identity):
        db.insert(OUTLINES, {"id": identity, "names": names})
    return identity


def names_of(db: Session, where: Where) -> list[Name]:
    """The parameters that some tasks have, sorted."""
    rows = db.listed(TASKS, f'DISTINCT "{OUTLINE}"', f"WHERE {where.sql}", where.values)
    wanted = Where(OUTLINES).among("id", [row[0] for row in rows if row[0] is not None])
    found: set[Name] = {
        (section, name)
        for outline in db.select(OUTLINES, wanted.sql, wanted.values)
        for section, name in outline["names"]
    }
    if any(row[0] is None for row in rows):  # written by an older version
        found.update(
            (section, name)
            for section, name in db.rows(
                "SELECT DISTINCT s.key, n.key FROM tasks_parts p, json_each(p.value) s, "  # noqa: S608
                "json_each(s.value) n WHERE p.part = 'hyperparams' AND p.id IN "
                f'(SELECT id FROM tasks WHERE "{OUTLINE}" IS NULL AND {where.sql})',
                where.values,
            )
        )
    return sorted(found)
