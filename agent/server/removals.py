"""Files that go because what they belonged to went: remembered with it, deleted soon after.

The wish to delete is written in the transaction that removes a task, so a kill in between loses
neither. Clients also delete the files of a task they have removed: for an hour they are told that
it is done, though we were faster.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from .origins import is_loopback
from .registry import Call
from .store import Session

_REMEMBERED = 3600
"""Seconds for which a deletion is remembered after it is done."""

_AT_ONCE = 500

FILES = "/files/"


def schedule(call: Call, urls: Iterable[str]) -> int:
    """Have files deleted that lie on our own file server; returns how many.

    Args:
        call: The request that removed what they belonged to.
        urls: Their addresses; those of other servers, and those that a model still has, are left.
    """
    asked = time.time()
    names = set()
    for url in urls:
        name = _ours(call, url)
        if name and not call.db.rows("SELECT 1 FROM models WHERE uri = ? LIMIT 1", (url,)):
            names.add(name)
    for name in names:
        call.db.run(
            "INSERT OR REPLACE INTO removals (path, asked, done) VALUES (?, ?, NULL)", (name, asked)
        )
    return len(names)


def _ours(call: Call, url: str) -> str | None:
    """The name below our file server's folder; None for other servers' addresses."""
    if not isinstance(url, str):
        return None
    try:
        parts, host = urlsplit(url), urlsplit(f"//{call.peer.headers.get('host', '')}")
        same = parts.port == host.port and (
            parts.hostname == host.hostname
            or (is_loopback(parts.hostname or "") and is_loopback(host.hostname or ""))
        )
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not same or not parts.path.startswith(FILES):
        return None
    return unquote(parts.path.removeprefix(FILES.rstrip("/")))


def waiting(db: Session) -> list[tuple[str, float]]:
    """The files that shall go, with the time at which that was asked for."""
    rows = db.rows("SELECT path, asked FROM removals WHERE done IS NULL LIMIT ?", (_AT_ONCE,))
    return [(path, asked) for path, asked in rows]


def finish(call: Call, names: Iterable[str]) -> None:
    """Note that files are gone, and forget what was noted long ago."""
    now = time.time()
    for name in names:
        call.db.run("UPDATE removals SET done = ? WHERE path = ?", (now, name))
    call.db.run("DELETE FROM removals WHERE done < ?", (now - _REMEMBERED,))


def was_removed(db: Session, name: str) -> bool:
    """Whether a file was lately deleted by us, or is about to be."""
    return db.row("SELECT 1 FROM removals WHERE path = ?", (name,)) is not None
