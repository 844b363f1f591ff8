"""Raw calls to the ClearML API, for what the SDK has no door to or takes several calls for."""

from __future__ import annotations

import re
from typing import Any


class ServerError(RuntimeError):
    """The ClearML server refused a call."""

    def __init__(self, action: str, code: int, message: str) -> None:
        super().__init__(f"{action}: {message} ({code})")
        self.code = code


def call(action: str, **data: Any) -> dict[str, Any]:
    """Call `service.action` and return the `data` of its answer.

    Raises:
        ServerError: the server refused. (While it can't be reached the SDK tries again.)
    """
    from clearml import Task

    service, _, method = action.partition(".")
    # The SDK has one session a process and no public door to it; a second one would log in anew.
    session = Task._get_default_session()
    answer = session.send_request(service, method, json=data)
    try:
        content = answer.json()
        meta = content["meta"]
    except (ValueError, KeyError, TypeError):
        raise ServerError(action, answer.status_code, "no ClearML API answered") from None
    if meta.get("result_code") != 200:
        raise ServerError(action, int(meta.get("result_code", 0)), str(meta.get("result_msg")))
    found: dict[str, Any] = content.get("data") or {}
    return found


def find_project(name: str) -> str | None:
    """Find a project's id by its full name."""
    projects = call(
        "projects.get_all",
        name=f"^{re.escape(name)}$",
        only_fields=["id", "name"],
        search_hidden=True,
    )["projects"]
    return next((project["id"] for project in projects if project["name"] == name), None)


def find_or_create_project(name: str, hidden: bool = False) -> str:
    """Find a project by its full name or create it, and return its id."""
    if found := find_project(name):
        return found
    try:
        extra = {"system_tags": ["hidden"]} if hidden else {}
        made: str = call("projects.create", name=name, description="", **extra)["id"]
    except ServerError:
        # Someone else may have created it in between.
        found = find_project(name)
        if found is None:
            raise
        return found
    return made


def server_url() -> str:
    """Return the URL of the ClearML API that this process is configured for."""
    from clearml.backend_api import Session

    return str(Session.get_api_server_host())
