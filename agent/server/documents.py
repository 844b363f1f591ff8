"""The collections of documents: which fields exist, which are indexed, which are held apart.

A document is a JSON object in one row. Fields that are often filtered or sorted by are generated
columns of that row, so they can't disagree with the document. Fields that grow large (source
diffs, configurations, metrics) are `parts`: rows of their own, read and written only when needed,
so that lists and pings stay cheap however large a task's configuration is.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Collection:
    """One kind of document.

    Attributes:
        table: Name of its table.
        noun: What one document is called in messages.
        fields: The known top-level fields; a filter on any other key is ignored.
        columns: Top-level fields with a generated column.
        indexes: Column lists to index.
        lists_by: Column lists to index together with `filtered`.
        filtered: Columns that lists are filtered and sorted by. With them in the index, a list of
            100,000 is gone through without reading one document.
        parts: Top-level fields held in rows of their own.
        valued: Those of them whose single values are also kept by name: see `values`.
        lists: Dotted names of arrays of objects, searched through when a name goes into them.
        dates: Fields that hold a time.
        patterns: Fields for which a plain text filter is a regular expression.
        folded: Fields of which a filter's values are compared blind to case.
        refers: Fields that hold an id, with the table of what it names.
        objects: Top-level fields that a projection shows as `{}` when they are absent.
    """

    table: str
    noun: str
    fields: frozenset[str]
    columns: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    lists_by: tuple[tuple[str, ...], ...] = ()
    filtered: tuple[str, ...] = ()
    parts: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset({"created", "last_update", "last_change"})
    patterns: frozenset[str] = frozenset({"name"})
    folded: frozenset[str] = frozenset()
    refers: tuple[tuple[str, str], ...] = ()
    objects: frozenset[str] = frozenset()
    tags: frozenset[str] = field(default=frozenset({"tags", "system_tags"}))

    @property
    def parts_table(self) -> str:
        """Name of the table that holds the parts."""
        return f"{self.table}_parts"


_SHARED = {
    "id", "name", "user", "company", "created", "last_update", "last_change", "tags",
    "system_tags", "comment", "project", "parent",
}  # fmt: skip

OUTLINE = "_outline"
"""The field of a task that holds the id of its parameters' outline; clients don't see it."""

JOB = "runtime.pipeline_job_hash"
"""Where the SDK keeps what a pipeline's step computes; each step looks for an earlier one by it."""

INPUTS = "models.input"
"""The models that a task takes: looked through before one is deleted."""

DELETED = "__DELETED__"
"""What stands before the id of a deleted task where something still refers to it."""

STATISTICS = ("project", "status", "system_tags", "started", "completed", "active_duration")
"""All that a project's statistics are made of: an index of it spares reading the documents."""

TASKS = Collection(
    table="tasks",
    noun="task",
    fields=frozenset(
        _SHARED
        | {
            "type", "status", "status_changed", "status_message", "status_reason", "started",
            "completed", "published", "active_duration", "last_iteration", "last_metrics",
            "last_worker", "last_worker_report", "execution", "script", "hyperparams",
            "configuration", "models", "output", "input", "container", "runtime", "report",
            "report_assets", "enqueue_status",
        }
    ),
    columns=(
        "name", "project", "parent", "type", "status", "user", "created", "started", "completed",
        "last_update", "last_change", "tags", "system_tags", "active_duration", "comment",
        "last_iteration", "status_changed", "published", OUTLINE, JOB, INPUTS,
    ),
    indexes=(("parent",), ("name",), (JOB,), (INPUTS, "id"), STATISTICS),
    lists_by=(("last_update",), ("project", "last_update"), ("status", "last_update")),
    filtered=(
        "id", "name", "project", "parent", "type", "status", "user", "tags", "system_tags",
        "comment", "created", "started", "completed", "last_change", "last_iteration",
        "active_duration", "status_changed", "published", OUTLINE,
    ),
    parts=frozenset({"script", "execution", "hyperparams", "configuration", "last_metrics"}),
    valued=frozenset({"hyperparams", "last_metrics"}),
    lists=frozenset(
        {"models.input", "models.output", "execution.artifacts", "input.view.entries"}
    ),
    dates=frozenset(
        {
            "created", "started", "completed", "published", "last_update", "last_change",
            "status_changed", "last_worker_report",
        }
    ),
    patterns=frozenset({"name", "comment", "report"}),
    folded=frozenset({"type"}),
    refers=(("project", "projects"), ("parent", "tasks"), ("user", "users")),
    objects=frozenset(
        {
            "runtime", "hyperparams", "configuration", "execution", "models", "script", "output",
            "last_metrics", "container",
        }
    ),
)  # fmt: skip

MODELS = Collection(
    table="models",
    noun="model",
    fields=frozenset(
        _SHARED
        | {
            "task", "framework", "uri", "ready", "labels", "design", "metadata", "ui_cache",
            "last_iteration", "last_metrics", "stats",
        }
    ),
    columns=(
        "name", "project", "task", "framework", "uri", "ready", "created", "last_update", "tags",
        "system_tags", "parent", "user",
    ),
    indexes=(("project", "last_update"), ("task",), ("uri",), ("name",), ("last_update",)),
    parts=frozenset({"design", "last_metrics"}),
    objects=frozenset({"metadata", "labels", "design", "last_metrics"}),
    patterns=frozenset({"name", "comment"}),
    folded=frozenset({"framework"}),
    refers=(("project", "projects"), ("task", "tasks"), ("user", "users")),
)  # fmt: skip

PROJECTS = Collection(
    table="projects",
    noun="project",
    fields=frozenset(
        (_SHARED - {"project"})
        | {"basename", "description", "default_output_destination", "path", "featured"}
    ),
    columns=("name", "basename", "parent", "created", "last_update", "tags", "system_tags"),
    indexes=(("name",), ("parent",), ("last_update",)),
    patterns=frozenset({"name", "description"}),
)

QUEUES = Collection(
    table="queues",
    noun="queue",
    fields=frozenset((_SHARED - {"project", "parent"}) | {"metadata", "display_name"}),
    columns=("name", "created", "tags", "system_tags"),
    indexes=(("name",),),
    objects=frozenset({"metadata"}),
)

WORKERS = Collection(
    table="workers",
    noun="worker",
    fields=frozenset({"id", "tags", "system_tags", "queues", "task", "queue", "user"}),
    columns=("last_report_time",),
    indexes=(),
    dates=frozenset({"last_report_time", "last_activity_time", "register_time"}),
)

CREDENTIALS = Collection(
    table="credentials",
    noun="credentials",
    fields=frozenset({"id", "label", "user", "created"}),
    columns=("user",),
    indexes=(),
)

USERS = Collection(
    table="users",
    noun="user",
    fields=frozenset(
        {
            "id", "name", "given_name", "family_name", "company", "avatar", "role", "created",
            "preferences",
        }
    ),
    columns=("name",),
    indexes=(),
    dates=frozenset({"created"}),
    parts=frozenset({"preferences"}),
)  # fmt: skip

OUTLINES = Collection(
    table="outlines",
    noun="outline",
    fields=frozenset({"id", "names"}),
    columns=(),
    indexes=(),
)

ALL = (TASKS, MODELS, PROJECTS, QUEUES, WORKERS, CREDENTIALS, USERS, OUTLINES)
