"""Files out of a multipart body, piece by piece as it arrives."""

from __future__ import annotations

from collections.abc import Iterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from .errors import BadRequestError


class Parts:
    """Turns chunks of a multipart body into events.

    Events are `("begin", name)`, any number of `("data", bytes)`, and `("end", b"")`. The name is
    the part's file name, or its field name when it has none.

    Args:
        content_type: The request's `Content-Type`, which holds the boundary.

    Raises:
        BadRequestError: It isn't a multipart body.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise BadRequestError("an upload is a multipart/form-data body")
        self._events: list[tuple[str, bytes]] = []
        self._field = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self.complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_end,
                "on_end": self._on_complete,
            },
        )

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """Take one more chunk of the body.

        Raises:
            BadRequestError: The body is malformed.
        """
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise BadRequestError(f"malformed multipart body: {error}") from error
        events, self._events = self._events, []
        yield from events

    def _begin(self) -> None:
        self._headers = {}

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._events.append(("begin", options.get(b"filename") or options.get(b"name") or b""))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(("data", data[start:end]))

    def _on_end(self) -> None:
        self._events.append(("end", b""))

    def _on_complete(self) -> None:
        self.complete = True
