"""A stretch of time cut into equal intervals, as statistics are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadRequestError
from .registry import Call

_MOST = 20_000


@dataclass(frozen=True)
class Intervals:
    """Equal intervals from one time up to another, in seconds since the epoch.

    The last second counts too: what is noted in whole seconds may have happened before an end that
    a client gave as the present time.
    """

    start: int
    end: int
    width: int

    def number(self, at: float) -> int:
        """In which interval a time lies."""
        return min(int(at - self.start) // self.width, len(self) - 1)

    def date(self, number: int) -> int:
        """When an interval begins."""
        return self.start + number * self.width

    def __len__(self) -> int:
        return -(-(self.end - self.start) // self.width)


def asked(call: Call) -> Intervals:
    """The intervals that `from_date`, `to_date` and `interval` of a request say.

    Raises:
        BadRequestError: They make no sense, or too many.
    """
    start, end = call.number("from_date"), call.number("to_date")
    width = call.integer("interval", 0)
    if start is None or end is None or not 0 <= start < end < 2**40:
        raise BadRequestError("from_date must be before to_date, both in seconds since 1970")
    if width < 1:
        raise BadRequestError("interval must be at least 1 second")
    found = Intervals(int(start), int(end), width)
    if len(found) > _MOST:
        raise BadRequestError(f"interval: at most {_MOST} intervals, not {len(found)}")
    return found
