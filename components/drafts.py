"""Drafts for people: tasks that wait on the server to be cloned, edited and enqueued.

A template is of one code state and never changes; a draft is brought up to date when it is put
again. It is known by a seal that holds its own id, so that a clone never passes for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from components.run.api import ServerError, call

REGISTERED = "registered"
"""Tag of a draft; its clones lose it when they start."""
STAGES_FOLDER = "Stages"
"""Project below the one that is meant, with a draft for each stage."""
_BEGUN = "registering"
"""Tag of a draft that has no seal yet."""
_SEAL = "sightline_draft"
"""Runtime property of a draft: its key and its own id."""
_LEFT_BEHIND = timedelta(hours=1)


class Put(StrEnum):
    """What became of a draft."""

    MADE = "made"
    UPDATED = "updated"


def put_draft(project: str, key: str, body: Mapping[str, Any]) -> tuple[str, Put]:
    """Make a draft, or bring the one that is there up to date.

    Args:
        project: id of the project where it lies.
        key: tells it from the project's other drafts.
        body: fields of the task.

    Returns:
        Its id, and what was done.
    """
    _clear(project)
    for task in _find(project, key):
        try:
            call("tasks.edit", task=task, **body)
        except ServerError as error:
            if error.code != 400:  # someone has enqueued or deleted it at this moment
                raise
        else:
            return task, Put.UPDATED
    made: str = call("tasks.create", project=project, tags=[_BEGUN], **body)["id"]
    call("tasks.edit", task=made, tags=[REGISTERED], runtime={_SEAL: f"{key} {made}"}, force=True)
    # Two may have made one each: everyone takes the oldest, and each removes its own.
    first = (_find(project, key) or [made])[0]
    if first != made:
        call("tasks.delete", task=made, force=True)
    return first, Put.MADE


def _find(project: str, key: str) -> list[str]:
    tasks = call(
        "tasks.get_all",
        project=[project],
        status=["created"],
        system_tags=["-archived"],
        order_by=["created", "id"],
        only_fields=["id", "runtime"],
        search_hidden=True,
    )["tasks"]
    return [
        task["id"]
        for task in tasks
        if (task.get("runtime") or {}).get(_SEAL) == f"{key} {task['id']}"
    ]


def _clear(project: str) -> None:
    """Remove what a killed process has left without a seal."""
    for task in call(
        "tasks.get_all",
        project=[project],
        status=["created"],
        tags=[_BEGUN],
        only_fields=["id", "created"],
        search_hidden=True,
    )["tasks"]:
        made = datetime.fromisoformat(task["created"])
        made = made if made.tzinfo else made.replace(tzinfo=UTC)
        if datetime.now(UTC) - made > _LEFT_BEHIND:
            call("tasks.delete", task=task["id"], force=True)
