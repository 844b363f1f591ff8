"""Finished stages that need not run again.

A stage is the same if its options, its inputs, the code folders (not the commit: a README edit
retrains nothing), the locked requirements and the image are the same. ClearML's own key takes the
commit and leaves out requirements and image, so we make ours. It lies in the runtime properties
of the task, with a seal: a clone that was edited in the web UI, or a task that was reset and
changed, must not pass for what it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.run.api import call
from components.run.references import is_id

KEY = "sightline_key"
SEAL = "sightline_seal"
RESULT = "Result"
_KEYED = ("Args", "Code")
_FIELDS = ["id", "runtime", "script", "hyperparams", "container.image", "completed"]


def cache_key(module: str, hyperparameters: Mapping[str, Any], image: str) -> str:
    """Hash all that a stage's result depends on.

    Args:
        module: what the task runs, as `components.train`.
        hyperparameters: its sections; only the options and the hashes of the code count.
        image: container image; empty for the agent's own.
    """
    values = {
        section: {name: item["value"] for name, item in hyperparameters.get(section, {}).items()}
        for section in _KEYED
    }
    return _hash([module, values, image])


def seal(task: str, script: Mapping[str, Any]) -> str:
    """Hash a task's id and the code that it was launched with."""
    names = ("repository", "version_num", "diff", "working_dir", "entry_point")
    return _hash([task, [script.get(name) or "" for name in names]])


def find_cached(key: str, module: str) -> dict[str, Any] | None:
    """Find the newest finished task with this key whose result can still be had.

    Returns:
        The task's `id` and `hyperparams`, or None.
    """
    tasks = call(
        "tasks.get_all",
        status=["completed", "published"],
        system_tags=["-archived"],
        _all_={"fields": [f"runtime.{KEY}"], "pattern": f"^{key}$"},
        order_by=["-last_update"],
        only_fields=_FIELDS,
        search_hidden=True,
        page=0,
        page_size=20,
    )["tasks"]
    for task in tasks:
        if unchanged(task, key, module) and result_exists(task):
            found: dict[str, Any] = task
            return found
    return None


def unchanged(task: Mapping[str, Any], key: str, module: str) -> bool:
    """Tell whether a task still is what it was when we launched it."""
    runtime = task.get("runtime") or {}
    if runtime.get(KEY) != key:
        return False
    if runtime.get(SEAL) != seal(task["id"], task.get("script") or {}):
        return False
    image = str((task.get("container") or {}).get("image") or "")
    return cache_key(module, task.get("hyperparams") or {}, image) == key


def result_of(task: Mapping[str, Any]) -> dict[str, str]:
    """Read a task's result, by field."""
    section = (task.get("hyperparams") or {}).get(RESULT) or {}
    return {name: str(item.get("value") or "") for name, item in section.items()}


def result_exists(task: Mapping[str, Any]) -> bool:
    """Tell whether the dataset and the model that a task made are still there."""
    result = result_of(task)
    dataset, model = result.get("dataset", ""), result.get("model", "")
    if is_id(dataset) and not call(
        "tasks.get_all",
        id=[dataset],
        status=["completed", "published"],
        system_tags=["dataset", "-archived"],
        only_fields=["id"],
        search_hidden=True,
    ).get("tasks"):
        return False
    return not is_id(model) or bool(
        call("models.get_all", id=[model], system_tags=["-archived"], only_fields=["id"]).get(
            "models"
        )
    )


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
