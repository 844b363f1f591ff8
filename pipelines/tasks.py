"""What a controller does to tasks on the server. Each call can be made again after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests

from components.failure import MESSAGE_KEY, failure_kind
from components.run.api import ServerError, call
from components.run.attempt import FINISHED_KEY
from pipelines.cache import KEY, SEAL, seal
from pipelines.recovery import Sight

T = TypeVar("T")
_LOOKED_AT = [
    "id",
    "status",
    "status_reason",
    "status_message",
    "last_update",
    "last_worker",
    "started",
    "completed",
    "runtime",
]


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that the server can't be reached for now."""
    from clearml.backend_api.session.session import LoginError

    if isinstance(error, ServerError):
        return error.code >= 500 or error.code in (0, 429)
    # The credentials were good at the start, so a refused login is a server that just comes up.
    return isinstance(error, requests.RequestException | ConnectionError | LoginError)


def look(tasks: Iterable[str], more: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Read how tasks are, by id; a deleted one is left out.

    Args:
        tasks: their ids.
        more: fields to read beside those that the rules of recovery need.
    """
    fields = [*_LOOKED_AT, *more]
    found = call("tasks.get_all", id=list(tasks), only_fields=fields, search_hidden=True)["tasks"]
    return {task["id"]: task for task in found}


def read_task(task: str, fields: Iterable[str]) -> dict[str, Any] | None:
    """Read some fields of a task; None if there is none."""
    found = call("tasks.get_all", id=[task], only_fields=["id", *fields], search_hidden=True)
    return dict(found["tasks"][0]) if found["tasks"] else None


def sight(task: Mapping[str, Any], **seen: Any) -> Sight:
    """See a task as the rules of recovery do."""
    runtime = task.get("runtime") or {}
    reason = task.get("status_reason") or ""
    return Sight(
        status=task["status"],
        reason=reason,
        message=task.get("status_message") or "",
        failure=failure_kind(runtime, reason),
        failure_message=runtime.get(MESSAGE_KEY) or "",
        finished=bool(runtime.get(FINISHED_KEY)),
        **seen,
    )


def make_step(
    template: Mapping[str, Any],
    *,
    name: str,
    parent: str,
    project: str,
    hyperparameters: Mapping[str, Any],
    image: str,
    key: str,
) -> str:
    """Make a draft from a template, in one call, so that no half-made one can be left behind.

    Args:
        template: the template's `id`, `script` and `container`.
        name: of the step.
        parent: the controller's task.
        project: where it goes.
        hyperparameters: all its sections.
        image: container image; empty for the agent's own.
        key: its cache key.

    Returns:
        Its id.
    """
    container = {**(template.get("container") or {}), "image": image} if image else None
    made: str = call(
        "tasks.clone",
        task=template["id"],
        new_task_name=name,
        new_task_parent=parent,
        new_task_project=project,
        new_task_hyperparams=dict(hyperparameters),
        new_task_tags=[],
        **({"new_task_container": container} if container else {}),
    )["id"]
    runtime = {KEY: key, SEAL: seal(made, template.get("script") or {})}
    call("tasks.edit", task=made, runtime=runtime, force=True)
    return made


def drafts(parent: str, name: str) -> list[str]:
    """List the drafts of a step that a killed controller may have left behind."""
    found = call(
        "tasks.get_all",
        parent=[parent],
        status=["created"],
        only_fields=["id", "name"],
        search_hidden=True,
    )["tasks"]
    return [task["id"] for task in found if task["name"] == name]


def delete(task: str) -> None:
    """Delete a draft."""
    _unless_refused(lambda: call("tasks.delete", task=task, force=True))


def enqueue(task: str, queue: str) -> None:
    """Put a task on a queue, unless it already is on one or runs.

    Args:
        task: its id.
        queue: the queue's id.
    """
    try:
        call("tasks.enqueue", task=task, queue=queue)
    except ServerError:
        # The answer to an earlier try may have been lost.
        now = read_task(task, ["status"])
        if now is None or now["status"] not in ("queued", "in_progress"):
            raise


def put_back(task: str, queue: str, why: str) -> None:
    """Put a task that failed, stopped or got lost on its queue again, by the same id."""
    # A failed task can't be queued; one that seems to run still must not be taken for running.
    call("tasks.stopped", task=task, force=True, status_message=f"put back on its queue: {why}")
    enqueue(task, queue)


def stop(task: str, why: str) -> None:
    """Ask a task that runs or waits to stop."""
    if _unless_refused(lambda: call("tasks.stop", task=task, status_reason=why)) is None:
        now = read_task(task, ["status"])
        if now is not None and now["status"] == "queued":
            _unless_refused(lambda: call("tasks.dequeue", task=task))


def mark_done(task: str, why: str) -> None:
    """Mark a task completed on behalf of an agent that can't."""
    call("tasks.completed", task=task, force=True, status_message=why)


def moment(text: str | None) -> float:
    """Read a server's time as seconds since 1970; 0 for none."""
    if not text:
        return 0.0
    then = datetime.fromisoformat(text)
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()


def _unless_refused(action: Callable[[], T]) -> T | None:
    try:
        return action()
    except ServerError as error:
        if is_outage(error):
            raise
        return None
