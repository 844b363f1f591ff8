"""The trials of a sweep as tasks on the server, which is where they can always be read back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.run.api import call
from components.template import SECTION
from pipelines.state import StepState
from pipelines.sweep.space import Value, texts

SWEEP = "Sweep"
"""Section of a trial's hyperparameters: whose trial it is, and what was known when it began."""
_PAGE = 500
_FIELDS = ["id", "status", "created", "runtime", f"hyperparams.{SWEEP}"]


@dataclass
class Trial(StepState):
    """A trial as its sweep knows it."""

    number: int = 0
    drawn: dict[str, Value] = field(default_factory=dict)
    """Its values of the searched options."""
    told: list[int] = field(default_factory=list)
    """Trials whose ends became known after the one before it was chosen."""
    verdict: str = ""
    """Why the sweep has ended it early or given it up, as `pruned: …` or `failed: …`; else empty.
    It stands with the task, so a process that takes the sweep over knows it."""
    values: dict[str, float] = field(default_factory=dict)
    """Its figures: objectives and constraints by name."""
    curve: dict[int, float] = field(default_factory=dict)
    """The first objective by step, as far as it was read."""
    feasible: bool = True
    """Whether it keeps every constraint."""
    goes_on: bool = False
    """Whether its task was stopped with the whole sweep, and is to be put back on its queue."""
    tried: bool = False
    """Whether the server was asked to make its task."""

    @property
    def pruned(self) -> bool:
        """Whether it was ended because it was hopeless."""
        return self.verdict.startswith("pruned")

    @property
    def given_up(self) -> bool:
        """Whether it was found to have failed for good."""
        return self.verdict.startswith("failed")


def trial_name(number: int) -> str:
    """Name a trial."""
    return f"trial {number}"


def make_trial(
    base: Mapping[str, Any], one: Trial, *, sweep: str, name: str, project: str, image: str,
    fixed: Mapping[str, str],
) -> str:  # fmt: skip
    """Make a trial's draft in one call, so that no half-made one can be left behind.

    Args:
        base: `id`, `hyperparams` and `container` of what to clone.
        one: the trial.
        sweep: id of the sweep's task.
        name: of the sweep.
        project: id of where the trial goes.
        image: container image; empty for the base's own.
        fixed: options that all trials have.

    Returns:
        Its id.
    """
    sections = {
        section: {option: dict(item) for option, item in items.items()}
        for section, items in base["hyperparams"].items()
        # What the base has found, and whose trial it was itself, isn't the trial's.
        if section not in ("Result", SWEEP)
    }
    options = sections.setdefault(SECTION, {})
    for option, value in {**fixed, **texts(one.drawn)}.items():
        item = options.setdefault(option, {"section": SECTION, "name": option, "type": "str"})
        item["value"] = value
    facts = {
        "sweep": sweep,
        "number": str(one.number),
        "options": json.dumps(one.drawn),
        "told": json.dumps(one.told),
        "ended": "",
    }
    sections[SWEEP] = {key: _item(key, value) for key, value in facts.items()}
    container = {**(base.get("container") or {}), "image": image} if image else None
    made: str = call(
        "tasks.clone",
        task=base["id"],
        new_task_name=f"{name} {trial_name(one.number)}",
        new_task_comment="\n".join(f"{n} = {v}" for n, v in texts(one.drawn).items()),
        new_task_parent=sweep,
        new_task_project=project,
        new_task_hyperparams=sections,
        new_task_tags=[f"sweep:{sweep}"],
        **({"new_task_container": container} if container else {}),
    )["id"]
    return made


def note_verdict(task: str, verdict: str) -> None:
    """Note with a trial why it is ended early; before it is, lest a restart not know."""
    item = _item("ended", verdict)
    call("tasks.edit_hyper_params", task=task, force=True, hyperparams=[item])


def _item(name: str, value: str) -> dict[str, str]:
    return {"section": SWEEP, "name": name, "value": value, "type": "str"}


def read_trials(sweep: str) -> dict[int, tuple[Trial, str]]:
    """Read all trials of a sweep from the server.

    Returns:
        Each with the status of its task, by number. What people have cloned from a trial is no
        trial: of two with one number the older one counts.
    """
    found: dict[int, tuple[str, Trial, str]] = {}
    page = 0
    while True:
        tasks = call(
            "tasks.get_all",
            parent=[sweep],
            tags=[f"sweep:{sweep}"],
            only_fields=_FIELDS,
            order_by=["created"],
            search_hidden=True,
            page=page,
            page_size=_PAGE,
        )["tasks"]
        for task in tasks:
            one = _read_trial(task, sweep)
            created = str(task.get("created"))
            if one and (one.number not in found or created < found[one.number][0]):
                found[one.number] = (created, one, task["status"])
        page += 1
        if len(tasks) < _PAGE:
            return {n: (one, status) for n, (_, one, status) in sorted(found.items())}


def _read_trial(task: Mapping[str, Any], sweep: str) -> Trial | None:
    section = (task.get("hyperparams") or {}).get(SWEEP) or {}
    facts = {name: str(item.get("value") or "") for name, item in section.items()}
    if facts.get("sweep") != sweep:
        return None
    try:
        number = int(facts["number"])
        return Trial(
            trial_name(number),
            task=task["id"],
            number=number,
            drawn=dict(json.loads(facts["options"])),
            told=[int(other) for other in json.loads(facts["told"])],
            verdict=facts.get("ended", ""),
        )
    except (KeyError, ValueError, TypeError):
        return None  # somebody has edited it: a failed trial of its number takes its place


def read_results(tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the last metrics of tasks, by id."""
    found = call(
        "tasks.get_all", id=list(tasks), only_fields=["id", "last_metrics"], search_hidden=True
    )["tasks"]
    return {task["id"]: task.get("last_metrics") or {} for task in found}


def read_scalars(task: str) -> dict[str, Any]:
    """Read the curves of a task, by title and series."""
    found: dict[str, Any] = call("events.scalar_metrics_iter_histogram", task=task)
    return found


def said(value: float) -> str:
    """Write a figure for people."""
    return "nan" if math.isnan(value) else f"{value:.4g}"
