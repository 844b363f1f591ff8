"""Resetting and deleting tasks, with all that hangs on them."""

from __future__ import annotations

from .. import clock, removals
from ..documents import DELETED, MODELS, TASKS
from ..errors import ApiError
from ..events import ingest, samples
from ..registry import Call, Data, Mode, action
from ..store import Document
from .models_life import used_by
from .tasks_status import CREATED, check, each, move


def _output_models(call: Call, task: str) -> list[Document]:
    """The models a task made that are not published and that no other task uses."""
    return [
        model
        for model in call.db.select(MODELS, "task = ?", (task,), heads=())
        if not model.get("ready") and not set(used_by(call, model["id"])) - {task}
    ]


def _urls(call: Call, task: Document, models: list[Document]) -> Data:
    """The addresses of the files a task has uploaded."""
    artifacts = (task.get("execution") or {}).get("artifacts") or []
    return {
        "model_urls": [model["uri"] for model in models if model.get("uri")],
        "event_urls": [
            url
            for owner in (task, *models)  # a task reports its models' events too
            for url in samples.urls(call.db, owner["id"])
        ],
        "artifact_urls": [
            item["uri"] for item in artifacts if item.get("uri") and item.get("mode") != "input"
        ],
    }


def _remove_models(call: Call, models: list[Document]) -> None:
    for model in models:
        call.db.delete(MODELS, model["id"])
        ingest.forget(call.db, model["id"])


def _remove_files(call: Call, urls: Data) -> None:
    """Have the uploaded files deleted, unless the request wants them kept."""
    if call.flag("delete_external_artifacts", True):
        removals.schedule(call, [url for listed in urls.values() for url in listed])


def reset_task(call: Call, identity: str) -> Data:
    """Make a task a draft again, as it was before it ran."""
    task = call.db.require(TASKS, identity)
    check(task, "reset", force=call.flag("force"))
    models = _output_models(call, identity) if call.flag("delete_output_models", True) else []
    urls = _urls(call, task, models)
    _remove_models(call, models)
    _remove_files(call, urls)
    ingest.forget(call.db, identity)
    execution = dict(task.get("execution", {}))
    execution["artifacts"] = [
        item for item in execution.get("artifacts") or [] if item.get("mode") == "input"
    ]
    execution.pop("queue", None)
    gone = {model["id"] for model in models}
    kept = dict(task.get("models") or {})
    # Published models outlive the run that made them, but are no longer this run's output.
    kept["output"] = []
    output = {k: v for k, v in task.get("output", {}).items() if k == "destination"}
    cleared = call.flag("clear_all")
    fields = move(
        call,
        task,
        CREATED,
        call.text("status_reason"),
        call.text("status_message"),
        started=None,
        completed=None,
        published=None,
        enqueue_status=None,
        last_iteration=0,
        last_metrics={},
        last_worker=None,
        last_worker_report=None,
        active_duration=0,
        runtime={},
        models=kept,
        output=output,
        execution={"artifacts": []} if cleared else execution,
        **({"script": {}} if cleared else {}),
    )
    answer: Data = {
        "updated": 1,
        "fields": fields,
        "deleted_models": len(gone),
        "dequeued": {"removed": int(task["status"] == "queued")},
        "events": {"deleted": True},
        "deleted_indices": [],
        "frames": {},
    }
    return {**answer, "urls": urls} if call.flag("return_file_urls") else answer


@action("tasks.reset", mode=Mode.WRITE)
def reset(call: Call) -> Data:
    """Make a task a draft again."""
    return reset_task(call, call.need("task"))


@action("tasks.reset_many", mode=Mode.WRITE)
def reset_many(call: Call) -> Data:
    """Make several tasks drafts again."""

    def one(call: Call, identity: str) -> Data:
        done = reset_task(call, identity)
        return {**done, "dequeued": bool(done["dequeued"]["removed"])}

    return each(call, one)


def delete_task(call: Call, identity: str, *, force: bool, return_urls: bool | None = None) -> Data:
    """Remove a task, its events and the models that only it knows.

    Raises:
        InvalidStatusError: It runs or is published, and there is no force.
        ApiError: It has children, and there is no force.
    """
    task = call.db.require(TASKS, identity)
    check(task, "delete", force=force)
    children = call.db.rows("SELECT id FROM tasks WHERE parent = ?", (identity,))
    if children and not force:
        raise ApiError(f"Task has children: id={identity}, children={len(children)}", subcode=123)
    models = _output_models(call, identity) if call.flag("delete_output_models", True) else []
    urls = _urls(call, task, models)
    _remove_models(call, models)
    _remove_files(call, urls)
    left = call.db.rows("SELECT id FROM models WHERE task = ?", (identity,))
    for (model,) in left:
        call.db.patch(MODELS, model, {"task": f"{DELETED}{identity}"})
    for (child,) in children:
        fields = {"parent": f"{DELETED}{identity}", "last_change": clock.now()}
        call.db.patch(TASKS, child, fields)
    call.db.run("DELETE FROM queue_entries WHERE task = ?", (identity,))
    ingest.forget(call.db, identity)
    call.db.delete(TASKS, identity)
    answer: Data = {
        "deleted": True,
        "updated_children": len(children),
        "updated_models": len(left),
        "updated_versions": 0,
        "deleted_models": len(models),
        "events": {"deleted": True},
        "frames": {},
    }
    wanted = call.flag("return_file_urls") if return_urls is None else return_urls
    return {**answer, "urls": urls} if wanted else answer


@action("tasks.delete", mode=Mode.WRITE)
def delete(call: Call) -> Data:
    """Remove a task."""
    return delete_task(call, call.need("task"), force=call.flag("force"))


@action("tasks.delete_many", mode=Mode.WRITE)
def delete_many(call: Call) -> Data:
    """Remove several tasks."""
    return each(call, lambda call, one: delete_task(call, one, force=call.flag("force")))
