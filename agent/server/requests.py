"""Reading a request: the action's name out of the address, the arguments out of the body."""

from __future__ import annotations

import re
import zlib
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope

from .encoding import loads
from .errors import ApiError, BadRequestError
from .settings import API_VERSION

_PATH = re.compile(
    r"(?:/api)?/(?:v(?P<version>[0-9]+(?:\.[0-9]+)?)/)?(?P<action>[a-z_]+\.[a-z_0-9]+)/?"
)


_HEADERS = "sightline.headers"
"""Where a request's scope keeps its headers as texts."""


def endpoint(path: str) -> tuple[str, str]:
    """The action and the API version that an address asks for.

    Raises:
        ApiError: The address is not `/service.action` or `/v<version>/service.action`.
    """
    found = _PATH.fullmatch(path)
    if not found:
        raise ApiError(
            f"No such address: {path[:200]} (expected /[v<version>/]service.action)",
            subcode=2,
        )
    return found["action"], found["version"] or API_VERSION


def headers(scope: Scope) -> dict[str, str]:
    """The request's headers, names in lower case; read once for each request."""
    found: dict[str, str] | None = scope.get(_HEADERS)
    if found is None:
        found = scope[_HEADERS] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
    return found


def takes_gzip(scope: Scope) -> bool:
    """Whether the client can unpack gzip."""
    offers = headers(scope).get("accept-encoding", "").split(",")
    return any(
        name.strip() in ("gzip", "*") and weight.replace(" ", "") not in ("q=0", "q=0.0")
        for name, _, weight in (offer.partition(";") for offer in offers)
    )


async def body(receive: Receive, limit: int) -> bytes:
    """The whole body.

    Raises:
        ApiError: It is longer than the limit, or the client went away.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError("the client went away")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise ApiError(f"the body is longer than {limit} bytes", code=413)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def arguments(
    raw: bytes, names: dict[str, str], query: bytes, limit: int
) -> tuple[dict[str, Any], list[Any] | None]:
    """The arguments of a call, and its batch if the body is one of JSON lines.

    Args:
        raw: The body.
        names: The headers.
        query: The query string; its names count where the body doesn't have them.
        limit: Most bytes after decompression.
    """
    if "gzip" in names.get("content-encoding", ""):
        raw = _gunzip(raw, limit)
    found = _asked(query) if query else {}
    kind = names.get("content-type", "")
    if "json-lines" in kind or "ndjson" in kind:
        return dict(found), [_json(line) for line in raw.splitlines() if line.strip()]
    if not raw.strip():
        return dict(found), None
    value = _json(raw)
    if not isinstance(value, dict):
        raise BadRequestError("the body must be a JSON object")
    return {**found, **value}, None


def _asked(query: bytes) -> dict[str, Any]:
    """The arguments in an address; a name that stands there more than once is a list."""
    parsed = parse_qs(query.decode("latin-1"))
    return {name: values if len(values) > 1 else values[0] for name, values in parsed.items()}


def _json(raw: bytes) -> Any:
    try:
        return loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error


def _gunzip(raw: bytes, limit: int) -> bytes:
    try:
        inflater = zlib.decompressobj(wbits=31)
        text = inflater.decompress(raw, limit)
        if inflater.unconsumed_tail:
            raise ApiError(f"the body is longer than {limit} bytes", code=413)
        if not inflater.eof:
            raise BadRequestError("the gzip body is cut short")
    except zlib.error as error:
        raise BadRequestError(f"the body is not gzip: {error}") from error
    return text
