"""Files for browsers: with their types, compressed, and cached by what is in them."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Scope, Send

from .. import requests

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".otf": "font/otf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
"""Types by the end of a name; the system's own table differs from one machine to the next."""

_TEXTS = ("text/", "application/json", "image/svg+xml", "application/wasm", "font/ttf")
_HASHED = re.compile(r"[.-][0-9A-Za-z_]{8,20}\.[a-z0-9]+$")
_LEAST = 1024  # bytes; less isn't worth compressing
_KEPT = 32 << 20  # bytes of compressed files that are kept


@dataclass(frozen=True)
class Answer:
    """What a browser is sent.

    Attributes:
        body: The content.
        kind: Its type.
        headers: More headers.
        code: HTTP status.
    """

    body: bytes
    kind: str
    headers: Mapping[str, str]
    code: int = 200


class Assets:
    """A folder of files; the names in it are all that can be reached."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._compressed: OrderedDict[tuple[Path, int, int], bytes] = OrderedDict()

    def find(self, name: str) -> Path | None:
        """The regular file of this name, a path with slashes; None if there is none inside."""
        pieces = [piece for piece in name.split("/") if piece]
        if not pieces or any(piece.startswith(".") or "\x00" in piece for piece in pieces):
            return None
        try:
            path = self._folder.joinpath(*pieces).resolve()
            inside = path.is_relative_to(self._folder)
            return path if inside and stat.S_ISREG(path.stat().st_mode) else None
        except (OSError, ValueError, RuntimeError):
            return None

    async def send(self, path: Path, scope: Scope, send: Send, more: Mapping[str, str]) -> None:
        """Send a file that `find` has found.

        Args:
            path: The file.
            scope: The request.
            send: Where the answer goes.
            more: Headers besides those that a file has.
        """
        await respond(scope, send, await asyncio.to_thread(self._answer, path, scope, more))

    def _answer(self, path: Path, scope: Scope, more: Mapping[str, str]) -> Answer:
        asked = requests.headers(scope)
        found = path.stat()
        tag = f'W/"{found.st_mtime_ns:x}-{found.st_size:x}"'
        # A name that holds the content's hash never gets another content.
        lasting = _HASHED.search(path.name) and path.suffix != ".html"
        headers = {
            "etag": tag,
            "cache-control": "public, max-age=31536000, immutable" if lasting else "no-cache",
            "vary": "accept-encoding",
            **more,
        }
        kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
        if tag in asked.get("if-none-match", ""):
            return Answer(b"", kind, headers, 304)
        packed = None
        if kind.startswith(_TEXTS) and found.st_size >= _LEAST and requests.takes_gzip(scope):
            packed = self._gzip(path, found)
            headers["content-encoding"] = "gzip"
        return Answer(path.read_bytes() if packed is None else packed, kind, headers)

    def _gzip(self, path: Path, found: os.stat_result) -> bytes:
        key = (path, found.st_mtime_ns, found.st_size)
        packed = self._compressed.get(key)
        if packed is None:
            packed = gzip.compress(path.read_bytes(), 6, mtime=0)
            self._compressed[key] = packed
            while sum(map(len, self._compressed.values())) > _KEPT:
                self._compressed.popitem(last=False)
        return packed


async def respond(scope: Scope, send: Send, answer: Answer) -> None:
    """Send a whole answer; its body only to those who asked for more than the head."""
    headers = {"x-content-type-options": "nosniff", **answer.headers}
    if answer.code != 304:
        headers |= {"content-type": answer.kind, "content-length": str(len(answer.body))}
    await send(
        {
            "type": "http.response.start",
            "status": answer.code,
            "headers": [
                (name.encode(), value.encode("latin-1")) for name, value in headers.items()
            ],
        }
    )
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
