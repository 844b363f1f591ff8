"""Requests that a web page of somebody else's makes a browser send: refused.

A browser on this machine reaches the server too, and any page may try to use it: by posting to
our address, or by a name of its own that it points at 127.0.0.1 (DNS rebinding). Programs send
none of the headers that are looked at here, except `Host`.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from . import requests
from .errors import ApiError

_ACTION = re.compile(r"(?:/api)?/(?:v[0-9.]+/)?[a-z_]+\.[a-z_0-9]+/?")
PAGE_FILES = "/web/"
"""Where the light page's own files lie: the same for everybody, and without any data."""

_FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
"""What a page may post to anywhere without asking first."""


class ForbiddenError(ApiError):
    """A request that comes from where it may not."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Forbidden ({message})", code=403, subcode=20)


class Doorkeeper:
    """Looks at where requests come from.

    Args:
        host: The address that the server listens on.
        names: Further names under which it may be reached.
    """

    def __init__(self, host: str, names: tuple[str, ...] = ()) -> None:
        self._loopback = is_loopback(host)
        self._names = {name.lower() for name in names}
        # A client says the same name with each call.
        self._is_ours = lru_cache(maxsize=256)(self._answers_to)

    def check(self, scope: Scope) -> None:
        """Refuse a request that a foreign page has made a browser send.

        Raises:
            ApiError: It is one.
        """
        headers = requests.headers(scope)
        host = headers.get("host", "").lower()
        self._check_host(host)
        action = _ACTION.fullmatch(scope["path"]) is not None
        origin = headers.get("origin")
        # The frame that draws plots is shut off from its own page, so to a browser it's foreign.
        if scope["path"].startswith(PAGE_FILES) and scope["method"] in ("GET", "HEAD"):
            return
        if origin is not None and urlsplit(origin).netloc.lower() != host:
            raise ForbiddenError(f"the page {origin[:100]} may not call this server")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and (
            action or headers.get("sec-fetch-mode") != "navigate" or scope["method"] != "GET"
        ):
            raise ForbiddenError("another site's page may not call this server")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if action and kind in _FORMS and headers.get("content-length", "0") != "0":
            raise ApiError(f"Content-Type {kind}: send application/json", code=415, subcode=12)

    def _check_host(self, host: str) -> None:
        if self._loopback and host and not self._is_ours(host):
            raise ForbiddenError(
                f"this server is not called {hostname(host)[:100]!r}; --allow-host adds a name"
            )

    def _answers_to(self, host: str) -> bool:
        name = hostname(host)
        # A name without a dot is nobody's to register: a container's, a machine's of this network.
        single = name.replace("-", "").replace("_", "").isalnum() and not name.isdigit()
        return single or is_loopback(name) or name in self._names


def hostname(host: str) -> str:
    """The name or address in a `Host` header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a name or address means this machine and nothing else."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
