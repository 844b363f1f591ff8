"""What projects contain, gathered for menus and tables: tags, parameters, metrics, parents, people.

All take projects (none means all) and look below them unless `include_subprojects` is false.
"""

from __future__ import annotations

from typing import Any

from .. import outlines, references, tree, values
from ..documents import MODELS, PROJECTS, TASKS, USERS, Collection
from ..encoding import loads
from ..errors import BadRequestError
from ..events.scalars import digest
from ..query import Where, compile_filters, has_tag, tag_text
from ..registry import Call, Data, Mode, action
from .projects_statistics import ARCHIVED

_MOST_VALUES = 1000
"""Values of one parameter that are told; more are counted only."""
_STATES = (None, "active", ARCHIVED)


def within(call: Call, collection: Collection, key: str = "projects") -> Where:
    """The documents in the projects of a request."""
    where = Where(collection)
    projects = tree.scope(call.db, call.texts(key), children=call.flag("include_subprojects", True))
    if not call.flag("allow_public", True):
        where.add(f"json_extract({collection.table}.doc, '$.company') <> ''")
    return where if projects is None else where.among("project", projects)


def tags_of(call: Call, wheres: list[Where]) -> Data:
    """The tags of the documents for which conditions hold, and system tags if asked for."""
    chosen = call.table("filter") or {}
    answer: Data = {}
    for kind in ("tags", "system_tags") if call.flag("include_system") else ("tags",):
        found: set[str] = set()
        for where in wheres:
            narrowed = compile_filters(
                where.collection, {name: chosen.get(name) for name in ("tags", "system_tags")}
            )
            rows = call.db.listed(
                where.collection,
                f"DISTINCT {kind}",
                f"WHERE {where.sql} AND {narrowed.sql}",
                (*where.values, *narrowed.values),
            )
            # Few different lists of tags stand on many documents.
            found.update(str(tag) for (listed,) in rows if listed for tag in loads(listed))
        answer[kind] = sorted(found)
    return answer


@action("projects.get_task_tags", mode=Mode.SCAN)
def get_task_tags(call: Call) -> Data:
    """The tags of the projects' tasks."""
    return tags_of(call, [within(call, TASKS)])


@action("projects.get_model_tags", mode=Mode.SCAN)
def get_model_tags(call: Call) -> Data:
    """The tags of the projects' models."""
    return tags_of(call, [within(call, MODELS)])


@action("projects.get_project_tags", mode=Mode.SCAN)
def get_project_tags(call: Call) -> Data:
    """The tags of the projects themselves and of those below them."""
    where = Where(PROJECTS)
    projects = tree.scope(call.db, call.texts("projects"), children=True)
    return tags_of(call, [where if projects is None else where.among("id", projects)])


def _page(call: Call, found: list[Any], key: str) -> Data:
    number, size = call.integer("page", 0), call.integer("page_size", 500)
    if number < 0 or size < 1:
        raise BadRequestError("page must be at least 0 and page_size at least 1")
    start = number * size
    return {
        "total": len(found),
        "remaining": max(0, len(found) - start - size),
        key: found[start : start + size],
    }


@action("projects.get_hyper_parameters", mode=Mode.SCAN)
def get_hyper_parameters(call: Call) -> Data:
    """The sections and names of the hyperparameters in use."""
    found = outlines.names_of(call.db, within(call, TASKS, "project"))
    return _page(call, [{"section": s, "name": n} for s, n in found], "parameters")


@action("projects.get_hyperparam_values", mode=Mode.SCAN)
def get_hyperparam_values(call: Call) -> Data:
    """The values that a hyperparameter has been given."""
    section, name = call.need("section"), call.need("name")
    where = within(call, TASKS)
    found = values.parameters(call.db, section, name, where.sql, where.values)
    return {"total": len(found), "values": found[:_MOST_VALUES]}


@action("projects.get_model_metadata_keys", mode=Mode.SCAN)
def get_model_metadata_keys(call: Call) -> Data:
    """The names of the models' metadata."""
    where = within(call, MODELS, "project")
    rows = call.db.rows(
        "SELECT DISTINCT e.key FROM models, json_each(models.doc, '$.metadata') e "  # noqa: S608
        f"WHERE {where.sql} ORDER BY 1",
        where.values,
    )
    return _page(call, [row[0] for row in rows], "keys")


@action("projects.get_model_metadata_values", mode=Mode.SCAN)
def get_model_metadata_values(call: Call) -> Data:
    """The values under a name in the models' metadata."""
    where = within(call, MODELS)
    rows = call.db.rows(
        "SELECT DISTINCT json_extract(e.value, '$.value') FROM models, "  # noqa: S608
        f"json_each(models.doc, '$.metadata') e WHERE e.key = ? AND {where.sql} ORDER BY 1",
        (call.need("key"), *where.values),
    )
    found = [str(row[0]) for row in rows if row[0] is not None]
    return {"total": len(found), "values": found[:_MOST_VALUES]}


@action("projects.get_unique_metric_variants", mode=Mode.SCAN)
def get_unique_metric_variants(call: Call) -> Data:
    """The metrics and variants that the project's tasks, or models, have reported as scalars."""
    collection = MODELS if call.flag("model_metrics") else TASKS
    where = within(call, collection, "project")
    if call.texts("ids"):
        where.among("id", call.texts("ids"))
    if collection is TASKS:
        rows = values.labels(call.db, "metric_values", where.sql, where.values)
    else:
        rows = call.db.rows(
            "SELECT DISTINCT metric, variant FROM series WHERE owner IN "  # noqa: S608
            f"(SELECT id FROM models WHERE {where.sql}) ORDER BY 1, 2",
            where.values,
        )
    return {
        "metrics": [
            {
                "metric": metric,
                "metric_hash": digest(metric),
                "variant": variant,
                "variant_hash": digest(variant),
            }
            for metric, variant in rows
        ]
    }


@action("projects.get_task_parents", mode=Mode.SCAN)
def get_task_parents(call: Call) -> Data:
    """The tasks that are parents of the projects' tasks, by name."""
    state = call.text("tasks_state") if "tasks_state" in call.body else "active"
    if state not in _STATES:
        raise BadRequestError("tasks_state must be active, archived or null")
    where = within(call, TASKS).add("parent IS NOT NULL")
    if state:
        where.add(f"{'NOT ' if state == 'active' else ''}{has_tag('system_tags')}",
                  tag_text(ARCHIVED))  # fmt: skip
    parents = call.db.listed(TASKS, "DISTINCT parent", f"WHERE {where.sql}", where.values)
    chosen = Where(TASKS).among("id", [row[0] for row in parents])
    if call.text("task_name"):
        named = compile_filters(TASKS, {"name": call.text("task_name")})
        chosen.add(named.sql, *named.values)
    found = call.db.select(TASKS, chosen.sql, chosen.values, order="name, id", heads=())
    return {"parents": references.expand(call.db, TASKS, found, ["id", "name", "project.name"])}


@action("projects.get_user_names", mode=Mode.SCAN)
def get_user_names(call: Call) -> Data:
    """The people who have made something in the projects."""
    entity = call.text("entity", "task")
    if entity not in ("task", "model"):
        raise BadRequestError("entity must be task or model")
    where = within(call, TASKS if entity == "task" else MODELS)
    rows = call.db.listed(where.collection, "DISTINCT user", f"WHERE {where.sql}", where.values)
    names = call.db.names(USERS, [row[0] for row in rows])
    users = [{"id": identity, "name": name} for identity, name in names.items()]
    return {"users": sorted(users, key=lambda user: user["name"])}


@action("projects.make_public", mode=Mode.WRITE)
def make_public(call: Call) -> Data:
    """Take projects out of the company: they belong to everyone."""
    return publicize(call, PROJECTS, public=True)


@action("projects.make_private", mode=Mode.WRITE)
def make_private(call: Call) -> Data:
    """Give projects back to the company."""
    return publicize(call, PROJECTS, public=False)


def publicize(call: Call, collection: Collection, *, public: bool) -> Data:
    """Set the company of documents to none, or to the caller's; returns how many changed."""
    company = "" if public else call.user.company
    changed = 0
    for identity in call.texts("ids"):
        document = call.db.require(collection, identity, heads=())
        if document.get("company", "") != company:
            call.db.patch(collection, identity, {"company": company})
            changed += 1
    return {"updated": changed}
