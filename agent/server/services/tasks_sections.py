"""The sections of a task: hyperparameters, configurations, artifacts, models."""

from __future__ import annotations

from typing import Any

from .. import clock
from ..documents import MODELS, TASKS
from ..errors import BadRequestError
from ..registry import Call, Data, Mode, action
from ..store import Document
from .tasks import save
from .tasks_status import check

LATEST_SCHEMA = 23
"""The newest API 2.x version for which SDK 2.1 has schemas."""

PROPERTIES = "properties"
"""The hyperparameter section that holds user properties: notes, which may change at any time."""


def _task(call: Call, section: str, *, free: bool = False) -> Document:
    """The task, if this section of it may be changed."""
    task = call.db.require(TASKS, call.need("task"), heads={section})
    check(task, "edit", force=free or call.flag("force"))
    return task


def _only_properties(items: list[Data]) -> bool:
    return all(item.get("section") == PROPERTIES for item in items)


def _text(item: Data, name: str, default: str | None = None) -> str:
    value = item.get(name, default)
    if not isinstance(value, str):
        raise BadRequestError(f"{name} must be a text")
    return value


@action("tasks.get_hyper_params", mode=Mode.SCAN)
def get_hyper_params(call: Call) -> Data:
    """The hyperparameters of several tasks, as lists."""
    return {
        "params": [
            {"task": task["id"], "hyperparams": _flat(task.get("hyperparams", {}))}
            for task in _tasks(call, "hyperparams")
        ]
    }


@action("tasks.edit_hyper_params", mode=Mode.WRITE)
def edit_hyper_params(call: Call) -> Data:
    """Add or change hyperparameters, or replace whole sections or all of them."""
    items = call.tables("hyperparams")
    task = _task(call, "hyperparams", free=_only_properties(items))
    replace = call.text("replace_hyperparams") or "none"
    if replace not in ("none", "section", "all"):
        raise BadRequestError("replace_hyperparams must be none, section or all")
    sections: Data = {} if replace == "all" else dict(task.get("hyperparams", {}))
    if replace == "section":
        for item in items:
            sections.pop(_text(item, "section"), None)
    for item in items:
        section, name = _text(item, "section"), _text(item, "name")
        kept = dict(sections.get(section, {}))
        kept[name] = {**kept.get(name, {}), **{k: v for k, v in item.items() if v is not None}}
        sections[section] = kept
    save(call, task["id"], {"hyperparams": sections})
    return {"updated": 1}


@action("tasks.delete_hyper_params", mode=Mode.WRITE)
def delete_hyper_params(call: Call) -> Data:
    """Remove hyperparameters; a section without a name goes whole."""
    keys = call.tables("hyperparams")
    task = _task(call, "hyperparams", free=_only_properties(keys))
    sections: Data = {name: dict(items) for name, items in task.get("hyperparams", {}).items()}
    for item in keys:
        section, name = _text(item, "section"), _text(item, "name", "")
        if not name:
            sections.pop(section, None)
        elif section in sections:
            sections[section].pop(name, None)
            if not sections[section]:
                del sections[section]
    changed = sections != task.get("hyperparams", {})
    if changed:
        save(call, task["id"], {"hyperparams": sections})
    return {"deleted": int(changed)}


@action("tasks.get_configurations", mode=Mode.SCAN)
def get_configurations(call: Call) -> Data:
    """The configurations of several tasks."""
    names = set(call.texts("names"))
    return {
        "configurations": [
            {
                "task": task["id"],
                "configuration": [
                    item
                    for name, item in sorted(task.get("configuration", {}).items())
                    if not names or name in names
                ],
            }
            for task in _tasks(call, "configuration")
        ]
    }


@action("tasks.get_configuration_names", mode=Mode.SCAN)
def get_configuration_names(call: Call) -> Data:
    """The names of several tasks' configurations.

    The web application reads a list; the SDK's schemas declare an object, and its client takes
    nothing else, so requests of those versions get the names of the one task.
    """
    skip = call.flag("skip_empty", True)
    found = [
        {
            "task": task["id"],
            "names": sorted(
                name
                for name, item in task.get("configuration", {}).items()
                if item.get("value") or not skip
            ),
        }
        for task in _tasks(call, "configuration")
    ]
    return {"configurations": found[0] if len(found) == 1 and _of_schemas(call) else found}


def _of_schemas(call: Call) -> bool:
    """Whether a request is of a version for which the SDK has schemas."""
    major, _, minor = call.version.partition(".")
    return major == "2" and minor.isdigit() and int(minor) <= LATEST_SCHEMA


@action("tasks.edit_configuration", mode=Mode.WRITE)
def edit_configuration(call: Call) -> Data:
    """Add or change configurations, or replace them all."""
    task = _task(call, "configuration")
    kept: Data = {} if call.flag("replace_configuration") else dict(task.get("configuration", {}))
    for item in call.tables("configuration"):
        name = _text(item, "name")
        kept[name] = {**kept.get(name, {}), **{k: v for k, v in item.items() if v is not None}}
    save(call, task["id"], {"configuration": kept})
    return {"updated": 1}


@action("tasks.delete_configuration", mode=Mode.WRITE)
def delete_configuration(call: Call) -> Data:
    """Remove configurations by name."""
    task = _task(call, "configuration")
    kept = dict(task.get("configuration", {}))
    gone = [kept.pop(name) for name in call.texts("configuration") if name in kept]
    if gone:
        save(call, task["id"], {"configuration": kept})
    return {"deleted": int(bool(gone))}


@action("tasks.add_or_update_artifacts", mode=Mode.WRITE)
def add_or_update_artifacts(call: Call) -> Data:
    """Add artifacts, or replace those of the same key and mode."""
    task = _task(call, "execution")
    execution = dict(task.get("execution", {}))
    kept = {_artifact(item): item for item in execution.get("artifacts") or []}
    for item in call.tables("artifacts"):
        _text(item, "type")
        kept[_artifact(item)] = {"mode": "output", "timestamp": _seconds(), **item}
    save(call, task["id"], {"execution": {**execution, "artifacts": list(kept.values())}})
    return {"updated": 1}


@action("tasks.delete_artifacts", mode=Mode.WRITE)
def delete_artifacts(call: Call) -> Data:
    """Remove artifacts by key and mode."""
    task = _task(call, "execution")
    execution = dict(task.get("execution", {}))
    kept = {_artifact(item): item for item in execution.get("artifacts") or []}
    gone = [kept.pop(_artifact(item), None) for item in call.tables("artifacts")]
    if any(gone):
        save(call, task["id"], {"execution": {**execution, "artifacts": list(kept.values())}})
    return {"deleted": int(any(gone))}


@action("tasks.add_or_update_model", mode=Mode.WRITE)
def add_or_update_model(call: Call) -> Data:
    """Tie a model to a task under a name, as input or output."""
    task = call.db.require(TASKS, call.need("task"), heads=())
    name, model, kind = call.need("name"), call.need("model"), call.need("type")
    if kind not in ("input", "output"):
        raise BadRequestError("type must be input or output")
    call.db.require(MODELS, model)
    models = dict(task.get("models", {}))
    listed = [item for item in models.get(kind) or [] if item.get("name") != name]
    models[kind] = [*listed, {"name": name, "model": model}]
    fields: Data = {"models": models}
    if call.body.get("iteration") is not None:
        reached = call.integer("iteration", 0)
        fields["last_iteration"] = max(reached, task.get("last_iteration", 0))
    save(call, task["id"], fields)
    return {"updated": 1}


@action("tasks.delete_models", mode=Mode.WRITE)
def delete_models(call: Call) -> Data:
    """Untie models from a task."""
    task = call.db.require(TASKS, call.need("task"), heads=())
    gone = {(_text(item, "type"), _text(item, "name")) for item in call.tables("models")}
    models = {
        kind: [item for item in items or [] if (kind, item.get("name")) not in gone]
        for kind, items in task.get("models", {}).items()
    }
    changed = models != task.get("models", {})
    if changed:
        save(call, task["id"], {"models": models})
    return {"updated": int(changed)}


def _tasks(call: Call, section: str) -> list[Document]:
    found = (call.db.get(TASKS, identity, heads={section}) for identity in call.texts("tasks"))
    return [task for task in found if task is not None]


def _flat(sections: Data) -> list[Data]:
    return [
        {"section": section, "name": name, **item}
        for section, items in sorted(sections.items())
        for name, item in sorted(items.items())
    ]


def _artifact(item: Any) -> tuple[str, str]:
    return _text(item, "key"), item.get("mode") or "output"


def _seconds() -> int:
    return clock.now_ms() // 1000
