"""Times as the API writes them: UTC, ISO 8601, always with microseconds so that text sorts."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from .errors import BadRequestError

_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999
"""The years 1 and 9999, which are as far as ISO 8601 goes."""


def now() -> str:
    """The present time, e.g. `2026-11-20T22:05:00.123456+00:00`."""
    return write(datetime.now(UTC))


def now_ms() -> int:
    """Milliseconds since the epoch, the unit of event timestamps."""
    return time.time_ns() // 1_000_000


def write(moment: datetime) -> str:
    """Write a time; one without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_seconds(seconds: float) -> str:
    """Write a time given in seconds since the epoch."""
    return write(datetime.fromtimestamp(seconds, UTC))


def from_ms(timestamp: int) -> str:
    """Write an event's time; one that no calendar holds as the first or last that it does.

    A client that counts in microseconds comes to the year 57,000.
    """
    return from_seconds(max(_FIRST_MS, min(timestamp, _LAST_MS)) / 1000)


def seconds(text: str) -> float:
    """Seconds since the epoch of a time that this module wrote."""
    return datetime.fromisoformat(text).timestamp()


def normalize(value: str | float) -> str:
    """Bring a client's time (ISO text or seconds since the epoch) into this module's form.

    Raises:
        BadRequestError: It is not a time.
    """
    try:
        if isinstance(value, (int, float)):
            return from_seconds(value)
        text = value.strip()
        try:
            return from_seconds(float(text))
        except ValueError:
            return write(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequestError(f"not a date: {value!r}") from error
