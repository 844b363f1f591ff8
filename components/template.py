"""The template task of a stage: what a pipeline step, a sweep's trial and a clone are made from.

It is a draft that holds the script section of one code state and every option with its default.
There is one for each stage, family and code state; it lives in a hidden project and is found by a
tag that is a hash of all it was made of, never by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.code import CodeState
from components.option_types import members
from components.options import Option, encode, options_of
from components.run.api import call, find_or_create_project
from components.stage import Stage
from models.families import DEFAULT_FAMILY

SECTION = "Args"
CODE_SECTION = "Code"
"""Holds what a cached result also depends on: `tree` and `requirements`."""


def template(
    stage: Stage[Any, Any], code: CodeState, project: str, family: str = DEFAULT_FAMILY
) -> str:
    """Find or create the template of a stage and return its task id."""
    body = stage_body(stage, code, family)
    tag = (
        "template:"
        + hashlib.sha256(json.dumps([project, body], sort_keys=True).encode()).hexdigest()[:32]
    )
    if found := _find(tag):
        return found[0]
    home = find_or_create_project(f"{project}/.templates", hidden=True)
    made: str = call("tasks.create", project=home, tags=["template", tag], **body)["id"]
    # Two launches may have made one each: everyone takes the oldest, and each removes its own.
    first = (_find(tag) or [made])[0]
    if first != made:
        call("tasks.delete", task=made, force=True)
    return first


def _find(tag: str) -> list[str]:
    tasks = call(
        "tasks.get_all",
        tags=[tag],
        system_tags=["-archived"],
        status=["created"],
        order_by=["created", "id"],
        only_fields=["id"],
        search_hidden=True,
    )["tasks"]
    return [task["id"] for task in tasks]


def stage_body(stage: Stage[Any, Any], code: CodeState, family: str) -> dict[str, Any]:
    """Write a task that runs a stage with its defaults; what must be given is empty."""
    config = stage.config_type(family)
    values = {o.name: "" if o.required else encode(o.default) for o in options_of(config)}
    values["family"] = family
    return {
        "name": stage.name,
        "type": stage.task_type,
        "comment": stage.title,
        "script": code.script(stage.module),
        "hyperparams": hyperparameters(options_of(config), values, code),
    }


def hyperparameters(
    options: list[Option], values: Mapping[str, str], code: CodeState | None
) -> dict[str, dict[str, dict[str, str]]]:
    """Write options as ClearML hyperparameters that explain themselves, with the code's hashes."""
    sections = {
        SECTION: {
            option.name: {
                "section": SECTION,
                "name": option.name,
                "value": values[option.name],
                "type": _type_name(option.annotation),
                "description": f"<{option.expected}> {option.description}".strip(),
            }
            for option in options
        }
    }
    if code is not None:
        sections[CODE_SECTION] = {
            name: {"section": CODE_SECTION, "name": name, "value": value, "type": "str"}
            for name, value in (("tree", code.tree), ("requirements", code.requirements))
        }
    return sections


def _type_name(annotation: Any) -> str:
    """Name a type as the web UI's forms know it; they check `int` and `float` as one types."""
    parts = members(annotation)
    for kind in (bool, int, float):
        if parts == [kind]:
            return kind.__name__
    return "str"
