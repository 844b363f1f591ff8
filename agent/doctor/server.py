"""The server: whether it answers, takes our credentials, and has our time."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from agent.doctor.findings import Finding, error, ok, skipped, warning
from agent.doctor.settings import Settings
from agent.doctor.wire import Pong, Wire, WireError

TESTED_API = (2, 23)
"""The version of the API whose calls the locked SDK makes."""
_SKEW_WARNING_S, _SKEW_ERROR_S = 5.0, 60.0


def check_server(wire: Wire, settings: Settings) -> tuple[Finding, Pong | None]:
    """See whether a ClearML API answers."""
    try:
        pong = wire.ping()
    except WireError as problem:
        return error(
            "server", f"{problem.said} (named by {settings.chosen_by})", problem.advice
        ), None
    said = f"{settings.api} answers in {pong.milliseconds:.0f} ms (named by {settings.chosen_by})"
    return ok("server", said), pong


def check_clock(pong: Pong) -> Finding:
    """Compare the server's clock with this machine's."""
    if pong.skew_s is None:
        return skipped("clock", "the server doesn't tell its time")
    skew = abs(pong.skew_s)
    if skew <= _SKEW_WARNING_S:
        return ok("clock", "the same as the server's, within seconds")
    said = f"the server is {skew:.0f} s {'ahead' if pong.skew_s > 0 else 'behind'}"
    advice = "set both clocks by NTP: timedatectl set-ntp true"
    if skew <= _SKEW_ERROR_S:
        return warning("clock", said, advice)
    return error("clock", f"{said}: tokens are refused, and live agents look dead", advice)


def check_credentials(wire: Wire, settings: Settings) -> Finding:
    """Log in; after it, the wire's calls are made in the user's name."""
    renew = (
        "make new ones in the web application (Settings, Workspace) and put them into clearml.conf"
    )
    if settings.is_stack:
        renew = "write the stack's own anew with: sightline up"
    if settings.token:
        left = float(_claims(settings.token).get("exp") or 0) - time.time()
        if 0 > left > -time.time():
            return error(
                "credentials",
                f"the token in CLEARML_AUTH_TOKEN expired {_ago(-left)} ago",
                "unset it to use the keys of clearml.conf, or get a new one",
            )
    elif settings.keys is None:
        return error("credentials", "there are none", renew)
    try:
        wire.login()
        user = wire.call("users.get_current_user").get("user") or {}
    except WireError as problem:
        if problem.code in (401, 403):
            what = "CLEARML_AUTH_TOKEN" if settings.token else _key(settings)
            return error("credentials", f"the server refuses {what}: {problem.said}", renew)
        return error("credentials", problem.said, problem.advice)
    return ok("credentials", f"good, as {user.get('name') or user.get('id') or '?'}")


def check_version(wire: Wire) -> Finding:
    """See whether the server is new enough for the calls of the locked SDK."""
    try:
        info = wire.call("server.info")
    except WireError as problem:
        return skipped("version", f"the server doesn't tell its version ({problem.said})")
    version = str(info.get("version") or "?")
    api = str(info.get("endpoints_version") or "")
    said = f"ClearML Server {version}, API {api or '?'}"
    if build := str(info.get("build") or ""):
        said += f" ({build})"
    numbers = tuple(int(part) for part in api.split(".") if part.isdigit())
    if numbers and numbers < TESTED_API:
        wanted = ".".join(str(number) for number in TESTED_API)
        return warning("version", said, f"bring it up to date: API {wanted} or newer is tested")
    return ok("version", said)


def _key(settings: Settings) -> str:
    """The public half, cut short."""
    return f"the key {settings.keys.access_key[:4]}..." if settings.keys else "us"


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says about itself; nothing is verified."""
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ago(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"
