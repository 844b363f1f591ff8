"""The log of a task: read, taken away as a file, cleared."""

from __future__ import annotations

import re
import time
from typing import Any

from .. import clock
from ..documents import TASKS
from ..encoding import dumps
from ..errors import BadRequestError
from ..events import logs
from ..registry import Attachment, Call, Data, Mode, action
from .events import is_descending
from .events_requests import TOTAL, owner_of, unlock

_FORMAT = "{asctime} {worker} {level} {msg}"
_NAMES = re.compile(r"\{(asctime|timestamp|worker|level|msg|task)\}")


@action("events.get_task_log", mode=Mode.SCAN)
def get_task_log(call: Call) -> Data:
    """The lines of a task's log around a time."""
    owner = owner_of(call)
    earlier = call.flag("navigate_earlier", True)
    start = call.number("from_timestamp")
    if start is not None and not abs(start) < 2**53:
        raise BadRequestError("from_timestamp is out of range")
    limit = call.integer("batch_size", 500)
    if limit < 0:
        raise BadRequestError("batch_size must be at least 0")
    events = logs.read(
        call.db,
        owner,
        earlier=earlier,
        start=None if start is None else int(start),
        limit=min(limit, TOTAL),
    )
    if is_descending(call, "desc" if earlier else "asc") != earlier:
        events.reverse()
    total = logs.count(call.db, owner, TOTAL)
    return {"events": events, "returned": len(events), "total": total}


@action("events.download_task_log", mode=Mode.SCAN)
def download_task_log(call: Call) -> Attachment:
    """The whole log as a file: lines of text, or one JSON object a line."""
    owner = owner_of(call)
    kind = call.text("line_type") or "text"
    if kind not in ("text", "json"):
        raise BadRequestError("line_type must be text or json")
    layout = call.text("line_format") or _FORMAT
    written = bytearray()
    after: list[int] | None = None
    while rows := logs.page(call.db, owner, after, TOTAL):
        after = rows[-1][0]
        for _, event in rows:
            line = dumps(event) if kind == "json" else _line(layout, event)
            written += f"{line}\n".encode("utf-8", errors="replace")
    return Attachment(
        f"task_{owner}.log",
        "application/x-ndjson" if kind == "json" else "text/plain; charset=utf-8",
        bytes(written),
    )


def _line(layout: str, event: Data) -> str:
    values: dict[str, Any] = {
        "asctime": clock.from_ms(event["timestamp"])[:23].replace("T", " "),
        "timestamp": event["timestamp"],
        "worker": event["worker"] or "",
        "level": event["level"] or "",
        "msg": (event["msg"] or "").rstrip("\n"),
        "task": event["task"],
    }
    return _NAMES.sub(lambda found: str(values[found[1]]), layout)


@action("events.clear_task_log", mode=Mode.WRITE)
def clear_task_log(call: Call) -> Data:
    """Remove a task's log, or what is older than `threshold_sec` seconds."""
    owner, keep = owner_of(call), call.integer("threshold_sec", 0)
    unlock(call, TASKS, owner)
    before = int((time.time() - keep) * 1000) if keep > 0 else None
    return {"deleted": logs.forget(call.db, owner, before)}
