"""What the whole server's content has in common."""

from __future__ import annotations

from ..registry import Call, Data, Mode, action


@action("organization.get_tags", mode=Mode.SCAN)
def get_tags(call: Call) -> Data:
    """All tags in use on tasks and models."""
    answer: Data = {}
    kinds = ["tags", "system_tags"] if call.flag("include_system") else ["tags"]
    for kind in kinds:
        rows = call.db.rows(
            f"SELECT value FROM tasks, json_each(tasks.{kind}) UNION "  # noqa: S608
            f"SELECT value FROM models, json_each(models.{kind})"
        )
        answer[kind] = sorted(str(tag) for (tag,) in rows)
    return answer
