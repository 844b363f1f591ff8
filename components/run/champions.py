"""The champion of each model name: the published model that people and pipelines take by it.

It carries the tag `champion`; its metadata say since when and why. Where two carry the tag, since
two were promoted at once or a promotion was cut short, the one promoted last is it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from components.run.api import ServerError, call, find_project
from components.run.references import is_id, not_found

CHAMPION = "champion"
"""Tag of the champion."""
SINCE = "champion since"
"""Metadata of every model that ever was champion: when it was promoted last."""
WHY = "champion why"
"""Metadata of a model: why it was promoted, or why it wasn't."""
BENCHMARK = "benchmark"
"""Metadata of a model: id of the task with its benchmark record."""
_ROLLED_BACK = "champion until"
"""Metadata of a model that was rolled back: when. One that was merely followed has none."""
_PAGE = 500


@dataclass(frozen=True)
class RegisteredModel:
    """A published model of the registry."""

    id: str
    name: str
    project: str
    """Id of its project."""
    created: str
    tags: tuple[str, ...]
    facts: Mapping[str, str]
    """Its metadata."""

    @property
    def since(self) -> str:
        """When it was promoted last; empty if it never was."""
        return self.facts.get(SINCE, "")


def find_champion(name: str, project: str) -> RegisteredModel | None:
    """Find the champion of a name; archived and deleted models are none.

    Args:
        name: of the model.
        project: id of its project.
    """
    return next(reversed(_tagged(name, project)), None)


def _tagged(name: str, project: str) -> list[RegisteredModel]:
    """List who carries the tag, the champion last."""
    found = [one for one in published(project, name) if CHAMPION in one.tags]
    return sorted(found, key=lambda one: (one.since, one.id))


def published(project: str, name: str | None = None) -> list[RegisteredModel]:
    """List the published models of a project, the newest first."""
    wanted = {"name": f"^{re.escape(name)}$"} if name is not None else {}
    return _read(project=[project], ready=True, order_by=["-created"], **wanted)


def _read(**query: Any) -> list[RegisteredModel]:
    models = call(
        "models.get_all",
        **query,
        system_tags=["-archived"],
        only_fields=["id", "name", "project", "tags", "metadata", "created"],
        page=0,
        page_size=_PAGE,
    )["models"]
    return [
        RegisteredModel(
            id=model["id"],
            name=model["name"],
            project=str(model.get("project") or ""),
            created=str(model.get("created") or ""),
            tags=tuple(model.get("tags") or ()),
            facts=_facts(model),
        )
        for model in models
    ]


def _facts(model: Mapping[str, Any]) -> dict[str, str]:
    facts = model.get("metadata") or []
    listed = facts.values() if isinstance(facts, Mapping) else facts
    return {str(fact.get("key")): str(fact.get("value") or "") for fact in listed}


def find_published(reference: str, project: str) -> RegisteredModel:
    """Find a published model by its id, or the newest of a name.

    Args:
        reference: an id, a name, or `project/name`.
        project: where a name without one is looked for.

    Raises:
        ValueError: there is none, or it isn't published.
    """
    if is_id(reference):
        found = _read(id=[reference], ready=True)
        if found:
            return found[0]
        known = call("models.get_all", id=[reference], only_fields=["id", "name"])["models"]
        if known:
            raise ValueError(
                f"model {reference} ({known[0]['name']}) isn't published, or is archived: the "
                "stage publish registers what can be a champion"
            )
        raise ValueError(f"no model with the id {reference} on this server")
    home, name, project_id = place_of(reference, project)
    found = published(project_id, name) if project_id else []
    if not found:
        there = {one.name for one in published(project_id)} if project_id else set()
        raise not_found("published model", f"{home}/{name}", sorted(there))
    return found[0]


def place_of(reference: str, project: str) -> tuple[str, str, str | None]:
    """Take a name apart: project, name, and the project's id if there is one."""
    home, _, name = reference.rpartition("/")
    home = home or project
    return home, name, find_project(home)


def promote(model: RegisteredModel, why: str) -> RegisteredModel | None:
    """Make a published model the champion of its name.

    Can be repeated after a kill at any point. Of two that are promoted at once the later one is
    champion, whoever of the two cleans up.

    Args:
        model: to promote.
        why: for people, kept with the model.

    Returns:
        The champion before it, if there was another one.
    """
    before = find_champion(model.name, model.project)
    if before is not None and before.id == model.id:
        before = None
    else:
        since = _later_than(before.since if before else "")
        _note(model.id, {SINCE: since, WHY: why, _ROLLED_BACK: ""})
        _tag(model, True)
    # From one look: whoever loses the tag here has seen a later one with it.
    *older, _ = _tagged(model.name, model.project) or (model,)
    for other in older:
        _tag(other, False)
    return before


def roll_back(reference: str, project: str, why: str) -> tuple[RegisteredModel, RegisteredModel]:
    """Give the title back to the champion before the present one.

    Args:
        reference: the name, or `project/name`.
        project: where a name without one is looked for.
        why: for people, kept with both models.

    Returns:
        The model that was champion, and the one that is again.

    Raises:
        ValueError: there is no champion of this name, or none before it.
    """
    home, name, project_id = place_of(reference, project)
    now = find_champion(name, project_id) if project_id else None
    if now is None or project_id is None:
        champions = _champions(project_id) if project_id else set()
        raise not_found("champion", f"{home}/{name}", sorted(champions))
    earlier = [
        one
        for one in published(project_id, name)
        if one.id != now.id and one.since and one.since < now.since
        if not one.facts.get(_ROLLED_BACK)
    ]
    if not earlier:
        raise ValueError(
            f"{name} has had no other champion that is still there; take any published model "
            f"with: sightline promote MODEL"
        )
    then = max(earlier, key=lambda one: (one.since, one.id))
    reason = f"rolled back from {now.id}: {why}"
    # First the mark: a roll back that is cut short here and repeated goes to the same model.
    _note(now.id, {_ROLLED_BACK: _later_than(now.since)})
    promote(then, reason)
    _note(now.id, {WHY: f"rolled back to {then.id}: {why}"})
    return now, then


def _champions(project: str) -> set[str]:
    return {one.name for one in published(project) if CHAMPION in one.tags}


def explain(model: str, why: str) -> None:
    """Keep with a model why it wasn't promoted."""
    _note(model, {WHY: why})


def _tag(model: RegisteredModel, champion: bool) -> None:
    tags = [tag for tag in model.tags if tag != CHAMPION]
    try:
        call("models.edit", model=model.id, tags=[*tags, CHAMPION] if champion else tags)
    except ServerError as error:
        if champion or error.code != 400:  # one that was deleted meanwhile needs no mending
            raise


def _note(model: str, facts: Mapping[str, str]) -> None:
    call(
        "models.add_or_update_metadata",
        model=model,
        metadata=[{"key": key, "type": "str", "value": value} for key, value in facts.items()],
    )


def _later_than(stamp: str) -> str:
    """The time now; later than another machine's stamp even if its clock is ahead."""
    now = datetime.now(UTC)
    with suppress(ValueError):  # none, or one that someone has edited
        now = max(now, datetime.fromisoformat(stamp) + timedelta(microseconds=1))
    return now.isoformat(timespec="microseconds")
