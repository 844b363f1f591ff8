"""Telling whose server this is, and that it is up."""

from __future__ import annotations

from importlib import metadata

from ..registry import Call, Data, action


@action("debug.ping", public=True)
def ping(call: Call) -> Data:
    """That the server is up, and the id of its state folder (the file `id` in it)."""
    return {
        "msg": "pong",
        "server": "sightline",
        "version": metadata.version("sightline"),
        "state_id": (call.settings.state / "id").read_text().strip(),
    }
