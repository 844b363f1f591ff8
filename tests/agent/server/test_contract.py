"""Requests against the SDK's schemas.

`python -m tests.agent.server.test_contract` writes `agent/server/contract.txt` anew, after an
update of the SDK.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from agent.server import contract
from agent.server.errors import BadRequestError

TEXT = Path(__file__).parents[3] / "agent" / "server" / "contract.txt"
VERSIONS = ("v2_9", "v2_13", "v2_20", "v2_23")
SERVICES = (
    "auth", "events", "models", "organization", "pipelines", "projects", "queues", "tasks",
    "workers",
)  # fmt: skip
KINDS = {
    "string": "text", "boolean": "flag", "integer": "integer", "number": "number",
    "object": "table",
}  # fmt: skip


def kind_of(schema: Any, definitions: dict[str, Any]) -> str:
    """Our word for the type that a schema allows; `any` where it is one of several."""
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    if schema.get("enum"):
        return "|".join(sorted(value for value in schema["enum"] if value is not None))
    named = schema.get("type", "any")
    names = [name for name in (named if isinstance(named, list) else [named]) if name != "null"]
    if names == ["array"]:
        return kind_of(schema.get("items", {}), definitions).rstrip("*") + "*"
    return KINDS.get(names[0], "any") if len(names) == 1 else "any"


def joined(one: str, other: str) -> str:
    """The kind that takes what either takes."""
    if "|" in one and "|" in other:
        return "|".join(sorted({*one.split("|"), *other.split("|")}))
    return one if one == other else "any"


def requests() -> dict[str, list[type[Any]]]:
    """The request classes of every declared action, one for each version."""
    found: dict[str, list[type[Any]]] = {}
    for version in VERSIONS:
        package = importlib.import_module(f"clearml.backend_api.services.{version}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name not in SERVICES:  # the others are of datasets of another edition
                continue
            loaded = importlib.import_module(f"{package.__name__}.{module.name}")
            for request in loaded.response_mapping:
                found.setdefault(f"{request._service}.{request._action}", []).append(request)
    return found


def drawn() -> str:
    """The text of `contract.txt`."""
    lines = []
    for name, versions in sorted(requests().items()):
        schemas = [request._schema for request in versions if request._schema]
        kinds: dict[str, str] = {}
        for schema in schemas:
            definitions = schema.get("definitions", {})
            for field, described in schema.get("properties", {}).items():
                kind = kind_of(described, definitions)
                kinds[field] = joined(kinds.get(field, kind), kind)
        must = set(schemas[0].get("required", [])) if schemas else set()
        for schema in schemas:
            must &= set(schema.get("required", []))
        fields = [f"{field}:{kind}{'!' * (field in must)}" for field, kind in sorted(kinds.items())]
        lines.append(" ".join([name, *fields]))
    return "\n".join(lines) + "\n"


def test_the_contract_is_that_of_the_installed_sdk() -> None:
    assert TEXT.read_text() == drawn()


@pytest.mark.parametrize(
    ("action", "body", "says"),
    [
        ("tasks.create", {"type": "training"}, "name is missing"),
        ("tasks.create", {"name": 5, "type": "training"}, "name must be a text"),
        ("tasks.create", {"name": "x", "type": "qc", "parent": ["y"]}, "parent must be a text"),
        ("tasks.get_all", {"parent": [5]}, "parent must be a text, or a list of texts"),
        ("tasks.get_all", {"page": "x"}, "page must be a whole number"),
        ("tasks.get_all_ex", {"page": "x"}, "page must be a whole number"),
        ("tasks.get_all", {"page": 0.5}, "page must be a whole number"),
        ("tasks.get_all", {"search_hidden": "maybe"}, "search_hidden must be true or false"),
        ("tasks.get_all", {"id": [5]}, "id must be a list, each item a text"),
        ("tasks.get_all", {"id": {"a": 1}}, "id must be a list"),
        ("tasks.edit", {"task": "x", "runtime": "y"}, "runtime must be an object"),
        (
            "tasks.get_all",
            {"status": ["running"]},
            "status must be a list, each item one of closed",
        ),
        ("tasks.get_all", {"status": "running"}, "status must be a list"),
        ("events.get_task_log", {"task": "x", "order": "up"}, "order must be one of asc, desc"),
    ],
)
def test_a_wrong_field_is_named(action: str, body: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestError, match=says):
        contract.check(action, body)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("tasks.get_all", {"id": "lone", "page": 1.0, "page_size": "5", "search_hidden": "true"}),
        ("tasks.get_all", {"status": ["-failed", "__$not", "queued", None]}),
        ("tasks.get_all", {"status": "failed"}),
        ("tasks.get_all", {"id": [None, "x"], "tags": None, "no such field": object()}),
        ("tasks.get_all", {"parent": ["x", None]}),
        ("tasks.get_all_ex", {"parent": ["x"]}),
        ("models.create", {"name": "x", "uri": None}),
        ("no.such_action", {"x": 1}),
    ],
)
def test_what_clients_send_passes(action: str, body: dict[str, Any]) -> None:
    contract.check(action, body)


if __name__ == "__main__":
    TEXT.write_text(drawn())
