"""JSON as we store and send it: by orjson, and by the standard library where that says no."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson


def _read(value: Any) -> Any:
    if isinstance(value, orjson.Fragment):
        return json.loads(value.contents)
    raise TypeError(f"not JSON: {type(value).__name__}")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_read
)


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8. What JSON can't say (NaN, infinities) becomes null."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half a surrogate pair, a number of more than 64 bits, very deep nesting
        return _slowly(value).encode("utf-8", errors="replace")


def dumps(value: Any) -> str:
    """The same as a text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return _slowly(value)


def plain(text: str) -> str:
    """A text with `?` for each half of a surrogate pair, which UTF-8 can't hold.

    In a C locale Python reads bytes that aren't UTF-8 as such halves, and prints them.
    """
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode()


def written(text: str) -> Any:
    """A stand-in for what a text of ours says, which goes into an answer as it is written."""
    return orjson.Fragment(text)


def loads(text: str | bytes) -> Any:
    """Read JSON text; `NaN` and infinities, which some clients write, are read too.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _slowly(value: Any) -> str:
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
