"""When and from where each key was used last.

A use is noted in memory and written with the server's next housekeeping, so that reading needs no
writing. A kill loses the last few seconds of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import clock

if TYPE_CHECKING:
    from .store import Session

TABLE = """
CREATE TABLE key_uses (key TEXT PRIMARY KEY NOT NULL, at TEXT NOT NULL, address TEXT NOT NULL);
"""

Use = tuple[str, str]
"""A time, and an address."""


class Uses:
    """The uses that are not written as yet, by key."""

    def __init__(self) -> None:
        self._latest: dict[str, Use] = {}

    def note(self, key: str, address: str) -> None:
        """A key was used just now."""
        self._latest[key] = (clock.now(), address)

    def write(self, db: Session) -> None:
        """Write what was noted."""
        noted, self._latest = self._latest, {}
        for key, (at, address) in noted.items():
            db.run(
                "INSERT OR REPLACE INTO key_uses (key, at, address) VALUES (?, ?, ?)",
                (key, at, address),
            )

    @property
    def waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._latest)

    def of(self, db: Session, key: str) -> Use | None:
        """The last use of a key."""
        row = self._latest.get(key) or db.row(
            "SELECT at, address FROM key_uses WHERE key = ?", (key,)
        )
        return (row[0], row[1]) if row else None
