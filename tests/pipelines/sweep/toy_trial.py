"""A stage for tests of sweeps: its loss is a formula of its options, and it fails when told to.

`python -m tests.pipelines.sweep.toy_trial key=value ...`
"""

from __future__ import annotations

import math
import os
import time

from components.run import Run
from components.stage import Stage, StageOptions, StageResult


class TrialConfig(StageOptions):
    x: float = 0.5
    """Best at 0.3."""
    rate: float = 1e-3
    """Best at 1e-3."""
    kind: str = "plain"
    """`plain` or `bent`."""
    bend: float = 0.5
    """Counts for `bent` only."""
    size: int = 4
    """Latency."""
    steps: int = 2
    """Points of the curve."""
    pause: float = 0.0
    """Seconds between them."""
    fault_above: float = 2.0
    """With a larger x it breaks."""
    silent_above: float = 2.0
    """With a larger x it reports nothing."""


class TrialResult(StageResult):
    loss: float


def trial(config: TrialConfig, run: Run) -> TrialResult:
    loss = (config.x - 0.3) ** 2 + 0.1 * abs(math.log10(config.rate) + 3)
    loss += config.bend * 0.1 if config.kind == "bent" else 0.05
    for step in range(config.steps):
        time.sleep(config.pause)
        if config.x > config.fault_above:
            os._exit(9)
        if config.x <= config.silent_above:
            run.scalar("validation", "loss", loss + 0.1 / (step + 1), step)
    if config.x <= config.silent_above:
        run.value("val/loss", loss)
        run.value("latency_ms", 2.0 * config.size)
    return TrialResult(loss=loss)


STAGE = Stage("toy_trial", "A toy.", trial, TrialConfig, TrialResult, "cpu", "training")

if __name__ == "__main__":
    STAGE.main()
