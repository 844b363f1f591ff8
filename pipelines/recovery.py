"""What to do about a stage's task, seen from outside: wait, go on, put it back, or give up.

Nothing here talks to a server, and nothing leans on what one server does beyond the documented
life of a task: these are the rules, and a table can test them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from components.failure import Failure

DONE = frozenset({"completed", "published", "closed"})
_NON_RESPONSIVE = "non-responsive"
AGENT_ENDED = "user abort"
"""Status reason that an agent gives when it is itself told to end (Ctrl-C, SIGTERM). An abort in
the web UI has another one."""


class Do(StrEnum):
    """What to do about a task."""

    WAIT = "wait"
    """It waits or runs."""
    GO_ON = "go on"
    """It is done."""
    MARK_DONE = "mark done"
    """Its result is whole, but whoever should have said so has died."""
    PUT_BACK = "put back"
    """Whoever ran it is gone: put it back on its queue, where it goes on."""
    RETRY = "retry"
    """It failed by the machine's fault: the same, but counted apart."""
    FAIL = "fail"
    """It failed for good."""
    ABORT = "abort"
    """Someone has stopped it."""


@dataclass(frozen=True)
class Sight:
    """What can be seen of a task."""

    status: str
    reason: str = ""
    """Status reason."""
    message: str = ""
    """Status message."""
    failure: Failure = Failure.MACHINE
    """Whose failure it was, if it failed."""
    failure_message: str = ""
    finished: bool = False
    """Whether its result is whole."""
    silent_s: float = 0.0
    """Seconds since the last sign of life, on our own clock."""
    reported: bool = False
    """Whether a live agent says that it runs this task."""
    in_queue: bool = True
    """Whether its queue lists it."""
    served: bool = True
    """Whether a live agent serves its queue."""
    unserved_s: float = 0.0
    """For how long it has waited without one."""


@dataclass(frozen=True)
class Limits:
    """How patient to be."""

    retries: int
    put_backs: int
    lost_after_s: float
    patience_s: float
    result_after_s: float = 20.0
    """A whole result whose task hasn't ended after so long counts as the end."""


@dataclass(frozen=True)
class Decision:
    """What to do, and why, in words for people."""

    do: Do
    why: str = ""


def decide(sight: Sight, limits: Limits, retried: int, put_back: int) -> Decision:
    """Decide about a task that this pipeline has put on a queue.

    Args:
        sight: the task as it is.
        limits: how patient to be.
        retried: how often it was started again after a failure.
        put_back: how often it was put back after it was lost.
    """
    if sight.status in DONE:
        return Decision(Do.GO_ON)
    if sight.status == "failed":
        return _failed(sight, limits, retried)
    if sight.status == "stopped":
        return _stopped(sight, limits, put_back)
    if sight.status == "created":
        return Decision(Do.ABORT, "it was reset, or taken off its queue")
    if sight.status == "queued":
        return _queued(sight, limits, put_back)
    if sight.finished and not sight.reported and sight.silent_s >= limits.result_after_s:
        return Decision(Do.MARK_DONE, "its result is whole, and its agent is gone")
    if sight.silent_s >= limits.lost_after_s and not sight.reported:
        why = f"no sign of life for {sight.silent_s:.0f} s, and no agent reports it"
        return _lost(why, limits, put_back)
    return Decision(Do.WAIT)


def _failed(sight: Sight, limits: Limits, retried: int) -> Decision:
    why = sight.failure_message or sight.reason or sight.message or "no reason was given"
    why = why.strip().split("\n")[0]
    if sight.failure is Failure.USER:
        return Decision(Do.FAIL, why)
    if sight.finished:
        return Decision(Do.MARK_DONE, f"its process failed after its result was whole ({why})")
    if retried < limits.retries:
        return Decision(Do.RETRY, why)
    tried = f"{retried + 1} times, the last time: " if retried else ""
    return Decision(Do.FAIL, f"{tried}{why}")


def _stopped(sight: Sight, limits: Limits, put_back: int) -> Decision:
    if sight.finished:
        return Decision(Do.MARK_DONE, "it was stopped after its result was whole")
    if _NON_RESPONSIVE in sight.message.lower() or _NON_RESPONSIVE in sight.reason.lower():
        return _lost("the server has given it up as non-responsive", limits, put_back)
    if sight.reason.strip().lower() == AGENT_ENDED:
        return _lost("its agent was ended", limits, put_back)
    said = sight.message or sight.reason
    return Decision(Do.ABORT, f"someone has stopped it ({said})" if said else "it was stopped")


def _queued(sight: Sight, limits: Limits, put_back: int) -> Decision:
    if not sight.in_queue and sight.silent_s >= limits.lost_after_s:
        return _lost("an agent took it from the queue and never started it", limits, put_back)
    if not sight.served:
        if sight.unserved_s >= limits.patience_s:
            return Decision(Do.FAIL, f"no agent served its queue for {sight.unserved_s:.0f} s")
        return Decision(Do.WAIT, "no agent serves its queue")
    return Decision(Do.WAIT)


def _lost(why: str, limits: Limits, put_back: int) -> Decision:
    if put_back < limits.put_backs:
        return Decision(Do.PUT_BACK, why)
    return Decision(Do.FAIL, f"lost {put_back + 1} times, the last time: {why}")
