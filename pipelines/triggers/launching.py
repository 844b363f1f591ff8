"""One run for each event, whatever dies in between.

The run carries a tag that is a hash of the event, from the one call that makes it. So a service
that starts again, or a second one, finds it: it makes no other, and enqueues one that was only
made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.run.api import ServerError, call
from components.template import SECTION
from pipelines import tasks

_TAG = "event:"


@dataclass(frozen=True)
class Event:
    """Something that a pipeline is to be started for, once."""

    pipeline: str
    """Name of the pipeline's project, which tells pipelines apart."""
    what: str
    """As `dataset`."""
    key: str
    """As the dataset version's id."""

    @property
    def tag(self) -> str:
        """The tag of its run."""
        text = json.dumps([self.pipeline, self.what, self.key])
        return _TAG + hashlib.sha256(text.encode()).hexdigest()[:32]


def launch_once(
    event: Event, base: str, parameters: Mapping[str, str], queue: str, why: str
) -> tuple[str, bool]:
    """Start a pipeline for an event, unless it was started for it already.

    Args:
        event: what happened.
        base: id of the pipeline's task that the run is a clone of.
        parameters: that differ from the base's.
        queue: name of the controller's queue.
        why: said on the run's task.

    Returns:
        The run's id, and whether it was made or enqueued now.

    Raises:
        ValueError: there is no such pipeline, parameter or queue.
    """
    made = ""
    if not _find(event.tag):
        made = _clone(event, base, parameters, why)
    runs = _find(event.tag)
    if not runs:
        raise RuntimeError(f"the run {made} was deleted at this moment")
    # Two may have made one each: everyone takes the oldest, and each removes its own.
    first = runs[0]
    if made and first["id"] != made:
        tasks.delete(made)
    if first["status"] != "created":
        return str(first["id"]), False
    tasks.enqueue(str(first["id"]), _queue_id(queue))
    return str(first["id"]), True


def _find(tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(
        "tasks.get_all",
        tags=[tag],
        type=["controller"],
        order_by=["created", "id"],
        only_fields=["id", "status"],
        search_hidden=True,
    )["tasks"]
    return found


def _clone(event: Event, base: str, parameters: Mapping[str, str], why: str) -> str:
    found = tasks.read_task(base, ["name", "hyperparams"])
    if found is None:
        raise ValueError(f"the pipeline {base} was deleted; register it, and make the trigger anew")
    sections = {
        section: {name: dict(item) for name, item in items.items()}
        for section, items in (found.get("hyperparams") or {}).items()
    }
    for name, value in parameters.items():
        if name not in sections.get(SECTION, {}):
            raise ValueError(f"the pipeline {base} has no parameter '{name}'")
        sections[SECTION][name]["value"] = value
    made: str = call(
        "tasks.clone",
        task=base,
        new_task_name=found["name"].partition(" #")[0],
        new_task_comment=why,
        new_task_hyperparams=sections,
        new_task_tags=[event.tag, "triggered"],
        new_task_system_tags=["pipeline"],
    )["id"]
    return made


def _queue_id(name: str) -> str:
    found = call("queues.get_all", name=f"^{name}$", only_fields=["id", "name"])["queues"]
    for queue in found:
        if queue["name"] == name:
            return str(queue["id"])
    raise ValueError(f"the queue '{name}' is gone; make it again, or make the trigger anew")


def is_lasting(error: BaseException) -> bool:
    """Tell whether an error won't pass by itself, so that someone has to be told."""
    return isinstance(error, ValueError | ServerError) and not tasks.is_outage(error)
