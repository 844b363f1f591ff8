"""What a page of projects shows of their contents: counts, run times, children, datasets."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .. import clock, tree
from ..documents import MODELS, PROJECTS, STATISTICS, TASKS
from ..encoding import dumps, loads
from ..errors import BadRequestError
from ..query import Where, compile_filters, has_tag, tag_text
from ..registry import Call, Data
from ..schema import index_name
from ..store import Document
from .tasks_status import STATUSES

ARCHIVED = "archived"
_DAY = 24 * 3600
_STATES = ("active", ARCHIVED)

KINDS: dict[str, Data] = {
    "pipeline": {"system_tags": ["pipeline"], "type": ["controller"]},
    "dataset": {"system_tags": ["dataset"]},
    "report": {"type": ["report"]},
}
"""What makes a task one of the things that have a section of their own in the application."""


def describe(call: Call, projects: list[Document]) -> None:
    """Add to listed projects what a `get_all_ex` request wants to know of their contents."""
    state = call.text("stats_for_state")
    if state is not None and state not in _STATES:
        raise BadRequestError("stats_for_state must be active or archived")
    identities = [project["id"] for project in projects]
    if call.flag("include_stats"):
        below = _below(call, identities)
        children = _children(call, below)
        if not call.flag("stats_with_children", True):
            below = {one: [one] for one in identities}
        found = _statistics(call, below, state)
        for project in projects:
            project["stats"] = found[project["id"]]
            project["sub_projects"] = children[project["id"]]
    if call.flag("check_own_contents"):
        for project in projects:
            project.update(_own(call, project["id"]))
    if call.flag("include_dataset_stats"):
        for project in projects:
            project["dataset_stats"] = _dataset(call, project["id"])


def _below(call: Call, identities: Iterable[str]) -> dict[str, list[str]]:
    """For each project itself and all below it; hidden ones only where they are searched for."""
    hidden: set[str] = set()
    if not call.flag("search_hidden"):
        rows = call.db.rows(
            f"SELECT id FROM projects WHERE {has_tag('system_tags')}",  # noqa: S608
            (tag_text(tree.HIDDEN),),
        )
        hidden = {row[0] for row in rows}
    return {
        one: [
            each for each in tree.with_children(call.db, [one]) if each == one or each not in hidden
        ]
        for one in identities
    }


def _statistics(call: Call, below: dict[str, list[str]], state: str | None) -> dict[str, Data]:
    everywhere = sorted({one for listed in below.values() for one in listed})
    criteria = call.table("include_stats_filter") or {}
    counted = _count(call, everywhere, compile_filters(TASKS, criteria))
    states = [state] if state else list(_STATES)
    return {
        one: {name: _summed([counted[name, each] for each in listed]) for name in states}
        for one, listed in below.items()
    }


def _count(call: Call, projects: list[str], where: Where) -> dict[tuple[str, str], list[Data]]:
    """The tasks of each project, counted by state and status."""
    counted: dict[tuple[str, str], list[Data]] = defaultdict(list)
    # Left to itself SQLite reads each document; in the index's own order it reads none.
    hint = "" if where.terms else f"INDEXED BY {index_name(TASKS, STATISTICS)}"
    where.among("project", projects)
    yesterday = clock.from_seconds(time.time() - _DAY)
    for project, status, tags, number, ran, last, recent in call.db.rows(
        "SELECT project, status, system_tags, COUNT(*), TOTAL(active_duration), MAX(started), "  # noqa: S608
        f"SUM(completed > ?) FROM tasks {hint} WHERE {where.sql} GROUP BY 1, 2, 3",
        (yesterday, *where.values),
    ):
        state = ARCHIVED if ARCHIVED in loads(tags or "[]") else "active"
        counted[state, project].append(
            {"status": status, "number": number, "ran": ran, "last": last, "recent": recent or 0}
        )
    return counted


def _summed(projects: list[list[Data]]) -> Data:
    rows = [row for listed in projects for row in listed]
    counts = dict.fromkeys(STATUSES, 0)
    for row in rows:
        counts[row["status"]] = counts.get(row["status"], 0) + row["number"]
    last = max((row["last"] for row in rows if row["last"]), default=None)
    return {
        "total_tasks": sum(row["number"] for row in rows),
        "total_runtime": int(sum(row["ran"] for row in rows)),
        "completed_tasks_24h": sum(
            row["recent"] for row in rows if row["status"] in ("completed", "published", "closed")
        ),
        "last_task_run": int(clock.seconds(last)) if last else None,
        "status_count": counts,
    }


def _children(call: Call, below: dict[str, list[str]]) -> dict[str, list[Data]]:
    """The projects below each, by name."""
    names = call.db.names(PROJECTS, {one for listed in below.values() for one in listed})
    return {
        one: sorted(
            ({"id": each, "name": names[each]} for each in listed if each != one and each in names),
            key=lambda child: child["name"],
        )
        for one, listed in below.items()
    }


def _own(call: Call, project: str) -> Data:
    """How many tasks and models a project itself holds; the archived ones don't count."""
    answer: Data = {}
    for collection in (TASKS, MODELS):
        where = Where(collection).among("project", [project])
        where.add(f"NOT {has_tag('system_tags')}", tag_text(ARCHIVED))
        answer[f"own_{collection.table}"] = call.db.count(collection, where.sql, where.values)
    return answer


def _dataset(call: Call, project: str) -> Data | None:
    """The size of the newest version of the dataset that a project is."""
    row = call.db.row(
        f"SELECT json_extract(doc, '$.runtime') FROM tasks WHERE project = ? AND "  # noqa: S608
        f"{has_tag('system_tags')} ORDER BY last_update DESC LIMIT 1",
        (project, tag_text("dataset")),
    )
    runtime: Any = loads(row[0]) if row and row[0] else {}
    counts = {"file_count": "ds_file_count", "total_size": "ds_total_size"}
    found = {name: _whole(runtime.get(key)) for name, key in counts.items() if key in runtime}
    return found or None


def _whole(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def of_users(call: Call, users: list[str]) -> list[str]:
    """The projects in which, or below which, users have made tasks."""
    where = Where(TASKS).among("user", users).add("project IS NOT NULL")
    rows = call.db.listed(TASKS, "DISTINCT project", f"WHERE {where.sql}", where.values)
    return _with_parents(call, [row[0] for row in rows])


def holding(call: Call) -> list[str]:
    """The projects in which, or below which, there are tasks of the wanted kind."""
    kind = call.need("children_type")
    if kind not in KINDS:
        raise BadRequestError(f"children_type must be one of {', '.join(KINDS)}")
    criteria = {**KINDS[kind], "tags": call.body.get("children_tags")}
    where = compile_filters(TASKS, criteria)
    where.add("project IS NOT NULL")
    rows = call.db.listed(TASKS, "DISTINCT project", f"WHERE {where.sql}", where.values)
    return _with_parents(call, [row[0] for row in rows])


def _with_parents(call: Call, projects: list[str]) -> list[str]:
    rows = call.db.rows(
        "WITH RECURSIVE above(id) AS (SELECT value FROM json_each(?) UNION SELECT projects.parent "
        "FROM projects JOIN above ON projects.id = above.id WHERE projects.parent IS NOT NULL) "
        "SELECT id FROM above",
        (dumps(projects),),
    )
    return [row[0] for row in rows]
