"""What needs the server before a sweep can start: its base, its queues and its dataset."""

from __future__ import annotations

from dataclasses import replace

from components.registry import STAGES
from components.run.references import is_id
from components.template import SECTION
from pipelines import queues, tasks
from pipelines.preflight import settle
from pipelines.sweep.plan import STAGE, Base, Sweep, SweepPlan, check


def read_base(task: str) -> Base:
    """Read the task whose clones the trials shall be.

    Raises:
        ValueError: there is none, or no agent could run it.
    """
    found = tasks.read_task(task, ["hyperparams", "script"]) if is_id(task) else None
    if found is None:
        raise ValueError(f"base: there is no task with the id '{task}'")
    entry = str((found.get("script") or {}).get("entry_point") or "")
    if not entry:
        raise ValueError(f"base: task {task} has no entry point, so no agent can run a clone of it")
    stages = {f"-m {module}": name for name, module in STAGES.items()}
    items = (found.get("hyperparams") or {}).get(SECTION) or {}
    if not items:
        raise ValueError(f"base: task {task} has no options under {SECTION}/ to search")
    return Base(
        task,
        stages.get(entry.strip(), ""),
        {name: str(item.get("value") or "") for name, item in items.items()},
        {name: str(item.get("type") or "") for name, item in items.items()},
    )


def settled(sweep: Sweep, local: bool) -> SweepPlan:
    """Check a sweep with all that needs the server, and fill in what is only known there.

    Args:
        sweep: what to sweep.
        local: whether the agents run on this machine, and so see the same disk.

    Raises:
        ValueError: one line for each mistake.
    """
    named = sweep.options.get("base", "")
    plan = check(sweep, read_base(named) if named else None)
    users = {name: ["the trials"] for name in plan.queues}
    if problems := queues.missing(users, queues.read_queues()):
        raise ValueError("\n".join(problems))
    if plan.plan is None:
        return plan
    whole = settle(plan.plan, local)
    return replace(plan, plan=whole, fixed=whole.options[STAGE])
