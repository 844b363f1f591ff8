"""Reads a large JSON file item by item, so that its size is never in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_SPACE = " \t\r\n"
_AFTER = frozenset(",:]}" + _SPACE)


def stream_items(file: Path) -> Iterator[tuple[str, Any]]:
    """Read a JSON object whose large members are lists.

    Args:
        file: UTF-8 JSON, an object at the top.

    Yields:
        Key and item for each item of a list, key and value for each other member, in file order.

    Raises:
        ValueError: the file is no such JSON.
    """
    try:
        with file.open(encoding="utf-8", errors="surrogatepass") as source:
            yield from _Reader(source).members()
    except ValueError as error:
        raise ValueError(f"{file} is no whole JSON object: {error}") from error


class _Reader:
    """A window on the text that moves on as values are taken from its front."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._text = ""
        self._at = 0
        self._decode = json.JSONDecoder().raw_decode

    def members(self) -> Iterator[tuple[str, Any]]:
        self._expect("{")
        if self._peek() == "}":
            return
        while True:
            key = self._value()
            self._expect(":")
            if self._peek() == "[":
                for item in self._list():
                    yield key, item
            else:
                yield key, self._value()
            if self._expect(",}") == "}":
                return

    def _list(self) -> Iterator[Any]:
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._expect(",]") == "]":
                return

    def _more(self) -> bool:
        read = self._source.read(_CHUNK)
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(read)

    def _peek(self) -> str:
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                raise ValueError("it ends too early")

    def _expect(self, characters: str) -> str:
        found = self._peek()
        if found not in characters:
            raise ValueError(f"expected one of {characters!r}, found {found!r}")
        self._at += 1
        return found

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            # A number at the edge of the window may go on; so may "-2" before a point.
            if self._text[end : end + 1] in _AFTER or not self._more():
                self._at = end
                return value
