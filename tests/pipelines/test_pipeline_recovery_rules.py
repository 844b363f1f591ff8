from __future__ import annotations

from typing import Any

import pytest

from components.failure import Failure
from pipelines import watching
from pipelines.parameters import RunOptions
from pipelines.queues import Queue
from pipelines.recovery import Do, Limits, Sight, decide
from pipelines.state import StepState
from pipelines.watching import Lookout

LIMITS = Limits(retries=2, put_backs=3, lost_after_s=100, patience_s=1000)
RUNNING: dict[str, Any] = {"status": "in_progress"}


@pytest.mark.parametrize(
    ("seen", "do", "why"),
    [
        ({"status": "completed"}, Do.GO_ON, ""),
        ({"status": "published"}, Do.GO_ON, ""),
        (RUNNING, Do.WAIT, ""),
        (RUNNING | {"silent_s": 99}, Do.WAIT, ""),
        (RUNNING | {"silent_s": 101}, Do.PUT_BACK, "no sign of life for 101 s"),
        (RUNNING | {"silent_s": 101, "reported": True}, Do.WAIT, ""),
        (RUNNING | {"silent_s": 30, "finished": True}, Do.MARK_DONE, "its result is whole"),
        (RUNNING | {"silent_s": 30, "finished": True, "reported": True}, Do.WAIT, ""),
        (RUNNING | {"silent_s": 3, "finished": True}, Do.WAIT, ""),
        ({"status": "failed", "reason": "exit code 1"}, Do.RETRY, "exit code 1"),
        (
            {"status": "failed", "failure": Failure.USER, "failure_message": "no 'x'\nmore"},
            Do.FAIL,
            "no 'x'",
        ),
        ({"status": "failed", "finished": True}, Do.MARK_DONE, "after its result was whole"),
        ({"status": "stopped", "message": "Forced stop (non-responsive)"}, Do.PUT_BACK, "given it"),
        ({"status": "stopped", "reason": "user abort"}, Do.PUT_BACK, "its agent was ended"),
        ({"status": "stopped", "reason": "stopped by a user"}, Do.ABORT, "stopped by a user"),
        ({"status": "stopped"}, Do.ABORT, "it was stopped"),
        ({"status": "stopped", "finished": True}, Do.MARK_DONE, ""),
        ({"status": "created"}, Do.ABORT, "reset"),
        ({"status": "queued"}, Do.WAIT, ""),
        ({"status": "queued", "served": False, "unserved_s": 999}, Do.WAIT, "no agent serves"),
        ({"status": "queued", "served": False, "unserved_s": 1000}, Do.FAIL, "no agent served"),
        ({"status": "queued", "in_queue": False, "silent_s": 99}, Do.WAIT, ""),
        ({"status": "queued", "in_queue": False, "silent_s": 101}, Do.PUT_BACK, "never started"),
    ],
)
def test_what_is_done(seen: dict[str, Any], do: Do, why: str) -> None:
    decision = decide(Sight(**seen), LIMITS, retried=0, put_back=0)
    assert decision.do is do
    assert why in decision.why


@pytest.mark.parametrize(
    ("seen", "retried", "put_back", "do", "why"),
    [
        ({"status": "failed", "message": "out of memory"}, 1, 0, Do.RETRY, "out of memory"),
        ({"status": "failed", "message": "out of memory"}, 2, 0, Do.FAIL, "3 times, the last time"),
        ({"status": "in_progress", "silent_s": 101}, 0, 2, Do.PUT_BACK, ""),
        ({"status": "in_progress", "silent_s": 101}, 0, 3, Do.FAIL, "lost 4 times"),
        ({"status": "in_progress", "silent_s": 101}, 9, 0, Do.PUT_BACK, ""),
    ],
)
def test_patience_ends(seen: dict[str, Any], retried: int, put_back: int, do: Do, why: str) -> None:
    decision = decide(Sight(**seen), LIMITS, retried, put_back)
    assert decision.do is do
    assert why in decision.why


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server says about queues and agents; a test may change it."""
    said: dict[str, Any] = {"agents": ("a",), "waiting": ("t",), "reported": set()}
    monkeypatch.setattr(
        watching,
        "read_queues",
        lambda last_seen: {"gpu": Queue("q", "gpu", said["agents"], said["waiting"])},
    )
    monkeypatch.setattr(watching, "reported_tasks", lambda last_seen: said["reported"])
    return said


def test_silence_is_measured_by_our_own_clock(world: dict[str, Any]) -> None:
    clock = Clock()
    lookout = Lookout(RunOptions(lost_after=60), clock)
    own = StepState("train", task="t", queue="gpu")
    # The server's clock is hours off; only that the time changes counts.
    task = {"status": "in_progress", "last_update": "2001-01-01T00:00:00"}
    assert lookout.decide(own, task).do is Do.WAIT
    clock.now += 59
    assert lookout.decide(own, task).do is Do.WAIT
    task["last_update"] = "2001-01-01T00:00:01"
    clock.now += 59
    assert lookout.decide(own, task).do is Do.WAIT
    clock.now += 61
    world["reported"] = {"t"}
    assert lookout.decide(own, task).do is Do.WAIT
    world["reported"] = set()
    clock.now += 6
    assert lookout.decide(own, task).do is Do.PUT_BACK


def test_an_outage_of_the_server_is_nobodys_silence(world: dict[str, Any]) -> None:
    clock = Clock()
    lookout = Lookout(RunOptions(lost_after=60), clock)
    own = StepState("train", task="t", queue="gpu")
    task = {"status": "in_progress", "last_update": "x"}
    lookout.decide(own, task)
    clock.now += 500
    lookout.start_over()
    assert lookout.decide(own, task).do is Do.WAIT


def test_a_queue_without_an_agent_is_waited_for_with_a_limit(world: dict[str, Any]) -> None:
    clock = Clock()
    lookout = Lookout(RunOptions(patience=100), clock)
    own = StepState("train", task="t", queue="gpu")
    task = {"status": "queued", "last_update": "x"}
    world["agents"] = ()
    first = lookout.decide(own, task)
    assert (first.do, first.why) == (Do.WAIT, "no agent serves its queue")
    assert "clearml-agent daemon --queue gpu" in lookout.advice("gpu")
    clock.now += 90
    world["agents"] = ("a",)
    assert not lookout.decide(own, task).why
    world["agents"] = ()
    clock.now += 90
    assert lookout.decide(own, task).do is Do.WAIT
    clock.now += 101
    assert lookout.decide(own, task).do is Do.FAIL
