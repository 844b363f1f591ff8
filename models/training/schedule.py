"""The learning rate as a pure function of the step, so that a resume needs no memory of it."""

from __future__ import annotations

import math

from models.training.options import ScheduleOptions


def rate(options: ScheduleOptions, step: int, steps: int) -> float:
    """Learning rate of a step as a share of the peak.

    Args:
        options: shape of the schedule.
        step: optimizer steps done before this one.
        steps: optimizer steps in all.

    Returns:
        A factor between 0 and 1.
    """
    warmup = round(options.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if options.name == "constant":
        return 1.0
    if options.name == "multistep":
        passed = sum(step >= milestone * steps for milestone in options.milestones)
        return options.gamma**passed
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    shape = 0.5 * (1.0 + math.cos(math.pi * done)) if options.name == "cosine" else 1.0 - done
    return options.final + (1.0 - options.final) * shape
