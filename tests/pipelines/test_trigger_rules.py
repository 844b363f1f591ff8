"""What a trigger is told, when a schedule is due, and one run for each event."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.stack.errors import StackError
from components.options import Layer, OptionError, configure
from components.run.api import ServerError
from pipelines import tasks
from pipelines.cli import main
from pipelines.triggers import launching
from pipelines.triggers.launching import Event, launch_once
from pipelines.triggers.options import TriggerOptions


def options(**given: str) -> TriggerOptions:
    return configure(TriggerOptions, [Layer("", {"pipeline": "p", **given})])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"on": "dataset"}, "watched: expected project/name"),
        ({"on": "dataset", "watched": "cells"}, "expected project/name, got 'cells'"),
        ({"on": "model", "watched": "a/b"}, "tag is needed"),
        ({"on": "noon"}, "on: expected dataset|model|schedule, got 'noon'"),
        ({"on": "schedule"}, "either every=6h or weekdays=monday,thursday"),
        ({"on": "schedule", "every": "6 hours"}, "every: expected minutes, hours or days as 30m"),
        ({"on": "schedule", "every": "0m"}, "every: expected minutes"),
        ({"on": "schedule", "every": "90m"}, "every: expected at most 60m"),
        ({"on": "schedule", "every": "6h", "at": "22:30"}, "only the minute counts"),
        ({"on": "schedule", "every": "6m", "at": "22:30"}, "minutes have no time of day"),
        ({"on": "schedule", "every": "1d", "at": "24:30"}, "at: expected a time of day as 22:30"),
        ({"on": "schedule", "weekdays": "mon,t"}, "weekdays: expected days as monday or mon"),
        ({"on": "schedule", "every": "1d", "poll": "0"}, "poll: expected number"),
    ],
)
def test_a_mistake_is_a_line(given: dict[str, str], line: str) -> None:
    with pytest.raises(OptionError) as caught:
        options(**given)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


SCHEDULES = {
    # It is Wednesday, 2026-07-01, 10:17.
    "every=30m": "07-01 10:47, 07-01 11:17",
    "every=6h": "07-01 16:00, 07-01 22:00",
    "every=6h at=00:15": "07-01 16:15, 07-01 22:15",
    "every=1d": "07-02 00:00, 07-03 00:00",
    "every=1d at=22:30": "07-01 22:30, 07-02 22:30",
    "every=2d at=22:30": "07-01 22:30, 07-03 22:30",
    "weekdays=mon,thu at=7:05": "07-02 07:05, 07-06 07:05",
    "weekdays=wed": "07-08 00:00, 07-15 00:00",
    "weekdays=wed at=11:00": "07-01 11:00, 07-08 11:00",
}
DUE = """
import json, sys
from datetime import UTC, datetime
from clearml.automation.scheduler import ScheduleJob
from components.options import Layer, configure
from pipelines.triggers.options import TriggerOptions

found = {}
for text in json.loads(sys.argv[1]):
    given = dict(word.split("=") for word in text.split())
    options = configure(TriggerOptions, [Layer("", {"pipeline": "p", "on": "schedule", **given})])
    since = datetime(2026, 7, 1, 10, 17, tzinfo=UTC)
    jobs = [ScheduleJob(name="x", base_function=print, starting_time=since, **one)
            for one in options.times()]
    due = []
    for _ in range(2):
        next_one = min(jobs, key=lambda job: job.next())
        due.append(next_one.next_run())
        next_one._schedule_counter, next_one._last_executed = 1, due[-1]
    found[text] = ", ".join(one.strftime("%m-%d %H:%M") for one in due)
print(json.dumps(found))
"""


def test_when_a_schedule_is_due() -> None:
    """In a process of its own: the SDK keeps the first server that it hears of."""
    done = subprocess.run(
        [sys.executable, "-c", DUE, json.dumps(list(SCHEDULES))],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == SCHEDULES


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["dataset", "cells", "pipeline=detection"], "makes its dataset itself"),
        (["dataset", "cells", "pipeline=data", "--into", "epochs"], "no parameter 'epochs'"),
        (["model", "m", "--tag", "x", "pipeline=ocr", "--into", "mdoel"], "did you mean 'model'?"),
        (["dataset", "cells", "pipeline=train-eval", "epochs=many"], "epochs: expected whole"),
        (["dataset", "cells"], "Missing argument"),
        (["model", "m", "pipeline=ocr"], "Missing option '--tag'"),
    ],
)
def test_a_mistake_on_the_command_line(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.commands.trigger.activate", lambda: None)
    done = CliRunner().invoke(main, ["trigger", *arguments])
    assert done.exit_code != 0
    assert line in done.output, done.output


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def server(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The real server, with a process that can be killed before or after each of its calls."""

    class Server:
        api = stack.api()
        die_at = 0
        after = False
        calls = 0
        lock = threading.Lock()

        def call(self, action: str, **data: Any) -> dict[str, Any]:
            with self.lock:
                self.calls += 1
                last = self.calls == self.die_at
            if last and not self.after:
                raise Killed
            try:
                answer: dict[str, Any] = self.api.call(action, **data)
            except StackError as error:
                raise ServerError(action, 400, str(error)) from None
            if last:
                raise Killed
            return answer

        def base(self) -> str:
            home = f"Events/.pipelines/p{next(_numbers)}"
            made: str = self.api.call(
                "tasks.create",
                name="retrain",
                type="controller",
                project=self.api.call("projects.create", name=home, description="")["id"],
                hyperparams={
                    "Args": {"dataset": {"section": "Args", "name": "dataset", "value": ""}}
                },
            )["id"]
            return made

        def runs(self, event: Event) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.api.call(
                "tasks.get_all", tags=[event.tag], search_hidden=True
            )["tasks"]
            return found

    made = Server()
    for module in (launching, tasks):
        monkeypatch.setattr(module, "call", made.call)
    if not made.api.call("queues.get_all", name="^unread$")["queues"]:
        made.api.call("queues.create", name="unread")
    yield made


_numbers = count()


@pytest.mark.stack
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_call_and_started_again_there_is_one_run_and_it_is_queued(
    server: Any, after: bool
) -> None:
    base = server.base()
    server.after = after
    for die_at in count(1):
        event = Event("home", "dataset", f"{after} {die_at} {base}")
        server.calls, server.die_at = 0, die_at
        try:
            launch_once(event, base, {"dataset": "abc"}, "unread", "a test")
            died = False
        except Killed:
            died = True
        server.die_at = 0
        launch_once(event, base, {"dataset": "abc"}, "unread", "a test")
        (run,) = server.runs(event)
        assert run["status"] == "queued"
        assert run["hyperparams"]["Args"]["dataset"]["value"] == "abc"
        assert run["name"] == "retrain" and "triggered" in run["tags"]
        if not died:
            assert die_at > 5
            break


@pytest.mark.stack
def test_services_that_see_the_same_event_at_once_start_one_run(server: Any) -> None:
    base = server.base()
    event = Event("home", "dataset", base)
    start = threading.Barrier(6)
    started: list[tuple[str, bool]] = []

    def run() -> None:
        start.wait()
        started.append(launch_once(event, base, {}, "unread", "a test"))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (only,) = server.runs(event)
    assert {run for run, _ in started} == {only["id"]}
    assert only["status"] == "queued"


@pytest.mark.stack
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"base": "0" * 32}, "was deleted; register it"),
        ({"parameters": {"datset": "x"}}, "has no parameter 'datset'"),
        ({"queue": "gone"}, "the queue 'gone' is gone"),
    ],
)
def test_what_hinders_a_launch_is_said(server: Any, changes: dict[str, Any], line: str) -> None:
    given = {"base": server.base(), "parameters": {}, "queue": "unread", "why": ""} | changes
    with pytest.raises(ValueError, match=line):
        launch_once(Event("home", "x", str(changes)), **given)


def test_started_by_hand_the_service_says_what_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.triggers.service"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 64
    assert "sightline trigger --help" in done.stderr
