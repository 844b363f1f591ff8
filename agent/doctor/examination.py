"""All checks in the order in which their findings matter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.doctor import files, machine, packages, queues, server
from agent.doctor.findings import Finding, Level, skipped
from agent.doctor.settings import Settings, read_settings
from agent.doctor.wire import Wire
from agent.stack.home import find_home

_NEEDS_LOGIN = "version, queues, agents, files"


@dataclass(frozen=True)
class Wanted:
    """What is asked of this place.

    Attributes:
        queues: Names of the queues that pipelines need.
        lock: The lock file to compare packages with.
        least_gb: Free space under which nothing can be expected to run.
        wanted_gb: Free space that is good to have.
        timeout_s: How long a request may take.
        home: The stack's state folder; see `find_home`.
    """

    queues: tuple[str, ...]
    lock: Path
    least_gb: float = 2.0
    wanted_gb: float = 10.0
    timeout_s: float = 5.0
    home: Path | None = None


def examine(wanted: Wanted, code: Callable[[str], list[Finding]]) -> Iterator[Finding]:
    """Examine server and machine, and yield each finding as it is made.

    Args:
        wanted: What is asked.
        code: Looks at the checkout: whether the agents of the server at this URL (empty for
            none) could get its code.
    """
    settings = read_settings(wanted.home)
    if isinstance(settings, Finding):
        yield settings
        yield skipped(f"clock, credentials, {_NEEDS_LOGIN}", "there is no server to ask")
    else:
        yield from _server(settings, wanted)
    yield from code("" if isinstance(settings, Finding) else settings.api)
    yield machine.check_python()
    yield from packages.check_packages(wanted.lock)
    yield machine.check_gpu()
    places = {
        "the state folder": find_home(wanted.home).root,
        "temporary files": Path(tempfile.gettempdir()),
    }
    if isinstance(settings, Settings):
        places["ClearML's cache"] = settings.cache
    yield from machine.check_disks(places, wanted.least_gb, wanted.wanted_gb)


def _server(settings: Settings, wanted: Wanted) -> Iterator[Finding]:
    with Wire(settings, wanted.timeout_s) as wire:
        found, pong = server.check_server(wire, settings)
        yield found
        if pong is None:
            yield skipped(f"clock, credentials, {_NEEDS_LOGIN}", "the server doesn't answer")
            return
        yield server.check_clock(pong)
        login = server.check_credentials(wire, settings)
        yield login
        if login.level is Level.ERROR:
            yield skipped(_NEEDS_LOGIN, "only with good credentials")
            return
        yield server.check_version(wire)
        yield from queues.check_queues(wire, settings, wanted.queues)
        yield from files.check_files(wire, settings)
