"""A sweep as the graph that ClearML's web UI shows of a pipeline."""

from __future__ import annotations

import json

from pipelines import state
from pipelines.state import PipelineState

_SHOWN = 60
"""Trials that are drawn; of more, the newest."""
_STATUS = {state.WAITING: state.QUEUED, state.PRUNED: state.ABORTED}
"""What the web UI has a colour for."""


def draw(now: PipelineState) -> str:
    """Write the trials as steps beside each other, each with its task behind it."""
    steps = list(now.steps.values())[-_SHOWN:]
    return json.dumps(
        {
            step.stage: {
                "parents": [],
                "queue": step.queue,
                "status": _STATUS.get(step.status, step.status),
                "job_id": step.task or None,
                "job_type": "training",
                "job_started": step.started or None,
                "job_ended": step.ended or None,
                "job_code_section": None,
                "stage": "trials",
                "parameters": {"": step.reason},
            }
            for step in steps
        },
        indent=2,
    )
