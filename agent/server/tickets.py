"""Tickets: a browser can follow a link to one file by itself, without a token, for a minute."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

SECONDS = 60
"""How long a ticket holds; what has begun by then goes on."""

NAME = "ticket"


class Tickets:
    """Makes tickets and knows them again."""

    def __init__(self, signing_key: str) -> None:
        # A key of its own, so that no signature made here means anything elsewhere.
        self._key = hashlib.sha256(f"ticket:{signing_key}".encode()).digest()

    def make(self, path: str) -> str:
        """A ticket for the file at a path such as `/files/a/b.png`, as the server sees it."""
        ends = int(time.time()) + SECONDS
        return f"{ends}.{self._sign(path, ends)}"

    def holds(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request to read a file carries a good ticket for it."""
        query = scope.get("query_string", b"")
        if not query or scope["method"] not in ("GET", "HEAD"):
            return False
        found = parse_qs(query.decode("latin-1")).get(NAME, [""])[0]
        ends, _, signature = found.partition(".")
        if not (ends.isascii() and ends.isdigit() and len(ends) < 15) or int(ends) < time.time():
            return False
        return hmac.compare_digest(
            signature.encode("latin-1", "replace"), self._sign(scope["path"], int(ends)).encode()
        )

    def _sign(self, path: str, ends: int) -> str:
        text = f"{ends}\n{path}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
