"""The learning rate as a pure function of step and plateaus: a resume needs no more of it."""

from __future__ import annotations

import math

from models.training.options import ScheduleOptions

_ONECYCLE_START = 1 / 25


def rate(options: ScheduleOptions, step: int, steps: int, plateaus: int = 0) -> float:
    """Learning rate of a step as a share of the peak.

    Args:
        options: shape of the schedule.
        step: optimizer steps done before this one.
        steps: optimizer steps in all.
        plateaus: how often the validation figure has stood still so far.

    Returns:
        A factor between 0 and 1.
    """
    warmup = round(options.warmup * steps)
    if step < warmup:
        risen = (step + 1) / (warmup + 1)
        if options.name != "onecycle":
            return risen
        return _ONECYCLE_START + (1.0 - _ONECYCLE_START) * 0.5 * (1.0 - math.cos(math.pi * risen))
    if options.name == "constant":
        return 1.0
    if options.name == "multistep":
        passed = sum(step >= milestone * steps for milestone in options.milestones)
        return options.gamma**passed
    if options.name == "plateau":
        return options.gamma**plateaus
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    straight = options.name == "linear"
    shape = 1.0 - done if straight else 0.5 * (1.0 + math.cos(math.pi * done))
    return options.final + (1.0 - options.final) * shape
