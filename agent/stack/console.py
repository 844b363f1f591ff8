"""`logs`: what the server, an agent or a task prints."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.stack.api import Api
from agent.stack.credentials import load_credentials
from agent.stack.errors import StackError
from agent.stack.home import StackHome, disk_errors, find_home
from agent.stack.state import StackState, load_state

_TASK_ID = re.compile(r"[0-9a-f]{32}")
_ENDED = frozenset({"completed", "failed", "stopped", "published", "closed"})
_PAGE = 500


def logs(
    source: str,
    *,
    home: Path | str | None = None,
    lines: int = 100,
    follow: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[str]:
    """The last lines of a log, and with `follow` all that comes after.

    Args:
        source: `server`, the name of an agent, or the id or name of a task.
        home: The state folder; see `find_home`.
        lines: How many of the last lines.
        follow: Go on until `stop()`, or for a task until it has ended.
        stop: Asked about once a second while following.

    Yields:
        Lines without their line ends.

    Raises:
        StackError: There is no such source, or the server doesn't answer.
    """
    place = find_home(home)
    state = load_state(place)
    if state is None:
        raise StackError(f"no stack in {place.root}; run: sightline up")
    if source == "server" or source in state.agents:
        return _file(place, source, lines, follow, stop)
    return _task(place, state, source, lines, follow, stop)


def _file(
    home: StackHome, name: str, lines: int, follow: bool, stop: Callable[[], bool]
) -> Iterator[str]:
    path = home.logs / f"{name}.log"
    if not path.exists():  # an agent that never came up has said why elsewhere
        path = home.logs / f"{name}.start.log"
    if not path.exists():
        raise StackError(f"{name} has printed nothing yet; is the stack up? See: sightline status")
    return _tail(path, lines, follow, stop)


def _tail(path: Path, lines: int, follow: bool, stop: Callable[[], bool]) -> Iterator[str]:
    with disk_errors(path.parent):
        file = path.open(errors="replace")
    try:
        yield from (line.rstrip("\n") for line in deque(file, maxlen=max(0, lines)))
        rest = ""
        while follow and not stop():
            new = file.read()
            if new:
                *whole, rest = (rest + new).split("\n")
                yield from whole
                continue
            if path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                file.close()  # started again, with a new file
                file = path.open(errors="replace")
                continue
            time.sleep(0.3)
    finally:
        file.close()


def _task(
    home: StackHome,
    state: StackState,
    source: str,
    lines: int,
    follow: bool,
    stop: Callable[[], bool],
) -> Iterator[str]:
    api = Api(state.url, load_credentials(home))
    task = _find_task(api, source, state)
    return _task_lines(api, task, lines, follow, stop)


def _find_task(api: Api, source: str, state: StackState) -> str:
    fields = ["id", "name"]
    if _TASK_ID.fullmatch(source):
        found = api.call("tasks.get_all", id=[source], only_fields=fields, search_hidden=True)
    else:
        found = api.call(
            "tasks.get_all",
            name=f"^{re.escape(source)}$",
            only_fields=fields,
            search_hidden=True,
            order_by=["-last_update"],
            page=0,
            page_size=1,
        )
    tasks = found.get("tasks", [])
    if not tasks:
        known = ", ".join(["server", *state.agents])
        raise StackError(f"no log {source!r}; give a task's id or name, or one of: {known}")
    return str(tasks[0]["id"])


def _task_lines(
    api: Api, task: str, lines: int, follow: bool, stop: Callable[[], bool]
) -> Iterator[str]:
    with api:
        events = _last_events(api, task, lines)
        text = [line for event in events for line in _split(event)]
        yield from text[-lines:] if lines > 0 else ()
        seen = {_identity(event) for event in events}
        while follow and not stop():
            ended = _has_ended(api, task)  # before the look, so that nothing said last is lost
            fresh = [
                event for event in _last_events(api, task, _PAGE) if _identity(event) not in seen
            ]
            for event in fresh:
                seen.add(_identity(event))
                yield from _split(event)
            if ended and not fresh:
                return
            time.sleep(0.0 if fresh else 1.0)


def _last_events(api: Api, task: str, count: int) -> list[dict[str, Any]]:
    """The last console events of a task, the oldest first."""
    events = api.call(
        "events.get_task_log",
        task=task,
        batch_size=max(1, min(count, _PAGE)),
        navigate_earlier=True,
    ).get("events", [])
    return sorted(events, key=lambda event: event.get("timestamp") or 0)


def _identity(event: dict[str, Any]) -> tuple[Any, ...]:
    return event.get("timestamp"), event.get("worker"), event.get("msg")


def _split(event: dict[str, Any]) -> list[str]:
    return str(event.get("msg") or "").rstrip("\n").split("\n")


def _has_ended(api: Api, task: str) -> bool:
    found = api.call("tasks.get_all", id=[task], only_fields=["status"], search_hidden=True)
    tasks = found.get("tasks", [])
    return not tasks or tasks[0].get("status") in _ENDED
