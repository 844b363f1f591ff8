"""What is checked before anything starts, and what is only then known: ids and fingerprints."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from components.ingest import SYNTHETIC
from components.run.links import is_cloud
from components.run.tracked_datasets import find_dataset
from models.data.fetch import fingerprint
from pipelines import queues
from pipelines.console import log
from pipelines.recipe import Plan
from pipelines.starting import UNKNOWN_CONTENT


def settle(plan: Plan, local: bool) -> Plan:
    """Check what needs the server or the disk, and fill in what is only known there.

    A dataset named by its latest version becomes that version's id, and raw data gets the
    fingerprint of its content, so that a stage isn't taken from cache when they have changed.

    Args:
        plan: what to run.
        local: whether the agents run on this machine, and so see the same disk.

    Raises:
        ValueError: a queue, a dataset or the source isn't there.
    """
    problems = queues.missing(plan.queues, queues.read_queues())
    if problems:
        raise ValueError("\n".join(problems))
    options = {name: dict(values) for name, values in plan.options.items()}
    if "ingest" in options:
        options["ingest"]["data.fingerprint"] = _content(options["ingest"], local)
    found: dict[str, str] = {}
    for name, values in options.items():
        reference = values.get("dataset")
        if reference and "dataset" not in plan.recipe.graph.step(name).inputs:
            if reference not in found:
                found[reference] = find_dataset(reference, plan.recipe.project)
            values["dataset"] = found[reference]
    return replace(plan, options=options)


def warn_of_unserved(plan: Plan) -> list[str]:
    """Say which stages will wait because no agent serves their queue."""
    wanted: Mapping[str, list[str]] = plan.queues
    return queues.unserved(wanted, queues.read_queues())


def _content(values: Mapping[str, str], local: bool) -> str:
    """Fingerprint the raw data; one that can't be known is another one each time."""
    source = values.get("data.source") or SYNTHETIC
    if source == SYNTHETIC:
        return ""
    unknown = f"{UNKNOWN_CONTENT}{uuid.uuid4().hex}"
    if is_cloud(source):  # only the stage's machine may have the credentials to look
        return unknown
    try:
        return fingerprint(source) or unknown
    except ValueError:
        if local:
            raise
        log(f"note: {source} can't be seen from here; it is read anew by the stage ingest")
        return unknown


def absolute_source(source: str) -> str:
    """Make a relative path absolute: an agent works in another folder, with another home."""
    path = Path(source).expanduser()
    if source == SYNTHETIC or "://" in source or not path.exists():
        return source
    return str(path.resolve())
