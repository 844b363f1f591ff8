"""What the whole server's content has in common."""

from __future__ import annotations

from typing import Any

from .. import tree
from ..documents import MODELS, PROJECTS, TASKS, Collection
from ..query import Where, has_tag, tag_text
from ..references import COMPANY_NAME
from ..registry import Call, Data, Mode, action
from .listing import filters_of
from .projects_contents import tags_of
from .projects_statistics import KINDS

_KINDS: dict[str, tuple[Collection, Data]] = {
    "projects": (PROJECTS, {}),
    "tasks": (TASKS, {}),
    "models": (MODELS, {}),
    "pipelines": (PROJECTS, {"kind": "pipeline"}),
    "datasets": (PROJECTS, {"kind": "dataset"}),
    "pipeline_runs": (TASKS, KINDS["pipeline"]),
    "dataset_versions": (TASKS, KINDS["dataset"]),
    "reports": (TASKS, KINDS["report"]),
}
"""What is counted under which name: the documents, and what else is demanded of them."""


@action("organization.get_tags", mode=Mode.SCAN)
def get_tags(call: Call) -> Data:
    """All tags in use on tasks and models."""
    return tags_of(call, [Where(TASKS), Where(MODELS)])


@action("organization.get_user_companies")
def get_user_companies(call: Call) -> Data:
    """The caller's company. There is one."""
    user = call.user
    return {
        "companies": [
            {
                "id": user.company,
                "name": COMPANY_NAME,
                "allocated": 1,
                "owners": [{"id": call.keys.user.id, "name": call.keys.user.name}],
            }
        ]
    }


@action("organization.get_entities_count", mode=Mode.SCAN)
def get_entities_count(call: Call) -> Data:
    """How many documents of each asked-for kind match that kind's criteria."""
    answer: Data = {}
    users = call.texts("active_users")
    for name, (collection, more) in _KINDS.items():
        criteria = call.table(name)
        if criteria is None:
            continue
        where = filters_of(call, collection, {**criteria, **_filters(more)})
        if kind := more.get("kind"):
            where.among("id", _holders(call, kind))
        elif not (call.flag("search_hidden") or criteria.get("search_hidden") or more):
            _hide(where, criteria)
        if users and collection is not PROJECTS:
            where.among("user", users)
        answer[name] = call.db.count(collection, where.sql, where.values)
    return answer


def _filters(more: Data) -> Data:
    return {key: value for key, value in more.items() if key != "kind"}


def _hide(where: Where, criteria: Data) -> None:
    if where.collection is PROJECTS:
        where.add(f"NOT {has_tag('system_tags')}", tag_text(tree.HIDDEN))
    elif not any(criteria.get(name) for name in ("id", "project", "parent")):
        tree.hide(where)


def _holders(call: Call, kind: str) -> list[Any]:
    """The projects that directly hold tasks of a kind: each pipeline and dataset is one."""
    where = filters_of(call, TASKS, KINDS[kind])
    rows = call.db.listed(TASKS, "DISTINCT project", f"WHERE {where.sql}", where.values)
    return [row[0] for row in rows if row[0]]
