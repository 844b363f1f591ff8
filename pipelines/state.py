"""What a pipeline knows of its stages; kept with the controller's task.

It serves three: a controller that was killed and started again reads it to adopt what runs, the
watcher of `sightline run --wait` shows it, and the web UI's graph is drawn from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

STATE_KEY = "sightline_pipeline"
"""Runtime property of the controller's task."""

PENDING = "pending"
QUEUED = "queued"
WAITING = "waiting"
"""Queued, and no agent serves the queue."""
RUNNING = "running"
COMPLETED = "completed"
CACHED = "cached"
FAILED = "failed"
ABORTED = "aborted"
PRUNED = "pruned"
"""A sweep's trial that was ended because it was hopeless."""
SKIPPED = "skipped"

WELL = frozenset({COMPLETED, CACHED})
ENDED = frozenset({*WELL, FAILED, ABORTED, PRUNED, SKIPPED})
ACTIVE = frozenset({QUEUED, WAITING, RUNNING})


@dataclass
class StepState:
    """A stage in a pipeline that runs."""

    stage: str
    status: str = PENDING
    task: str = ""
    """Id of its task."""
    key: str = ""
    """Hash of all that its result depends on."""
    reason: str = ""
    """Why it waits, was put back, failed or stopped, in one line."""
    queue: str = ""
    worker: str = ""
    retried: int = 0
    put_back: int = 0
    started: float = 0.0
    """When its process started, in seconds since 1970; 0 if it hasn't."""
    ended: float = 0.0
    """When it ended; 0 if it hasn't."""

    @property
    def seconds(self) -> float | None:
        """How long it ran; None if it didn't, or still does."""
        return self.ended - self.started if self.started and self.ended else None


@dataclass
class PipelineState:
    """A pipeline that runs."""

    controller: str
    """Id of the controller's task: a state that came with a clone isn't the clone's."""
    steps: dict[str, StepState] = field(default_factory=dict)
    reason: str = ""
    """Why the pipeline failed or stopped."""
    seconds: float = 0.0
    """How long a sweep has run, all its processes together."""
    ending: list[str] | None = None
    """What a sweep has to say at the end, line by line; None for a pipeline, all of whose stages
    must have ended well."""

    def to_json(self) -> str:
        """Write it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PipelineState:
        """Read it back.

        Raises:
            ValueError: it isn't one.
        """
        try:
            content = json.loads(text)
            steps = {name: StepState(**step) for name, step in content["steps"].items()}
            return cls(
                str(content["controller"]),
                steps,
                str(content["reason"]),
                float(content.get("seconds", 0.0)),
                content.get("ending"),
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not the state of a pipeline: {error!r}") from None


def stored_state(task: Mapping[str, Any]) -> PipelineState | None:
    """Read the state that a controller's task holds; None if it holds none of its own."""
    text = (task.get("runtime") or {}).get(STATE_KEY)
    if not text:
        return None
    try:
        state = PipelineState.from_json(text)
    except ValueError:
        return None
    return state if state.controller == task["id"] else None
