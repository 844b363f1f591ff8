"""A stage for tests of the machinery: it does what its options say, in no time.

`python toy_stage.py key=value ...`
"""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from components.options import OptionError, Options
from components.run import Run
from components.stage import Stage, StageOptions, StageResult


class Table(Options):
    rate: float = 0.5
    """A number."""


class ToyConfig(StageOptions):
    mode: str = ""
    """Where to die, and how."""
    steps: int = 3
    """Points of the curve."""
    table: Table = Table()
    """A table."""
    text: str = "text"
    """What the dataset holds."""
    project: str = "Toys"
    """Project of the dataset."""


class ToyResult(StageResult):
    dataset: str
    version: str
    resumed: str
    numbers: dict[str, float]
    nothing: str | None = None


def toy(config: ToyConfig, run: Run) -> ToyResult:
    for step in range(config.steps):
        run.scalar("curve", "a", config.table.rate * step, step)
    run.value("figure", 0.25)
    run.image("picture", "a", np.zeros((8, 8, 3), np.uint8), 0)
    run.table("table", "a", ["name", "value"], [["x", np.float32(1.5)], ["y", None]])
    if config.mode == "mistake":
        raise OptionError("dataset 'x': there is none")
    if config.mode == "fault":
        raise RuntimeError("the machine is broken")
    if config.mode == "ctrl-c":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    if config.mode == "stop":
        while not run.stop_requested():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
    earlier = run.checkpoint()
    resumed = earlier.read_text() if earlier else ""
    run.log(f"resumed: {resumed}")
    if config.mode == "die with checkpoints":
        for number in range(3):
            path = run.folder / "state.txt"
            path.write_text(f"state {number}")
            run.save_checkpoint(path)
        os._exit(9)
    if config.mode == "linger":
        for _ in range(600):
            if run.stop_requested():
                break
            time.sleep(0.1)
    made = run.folder / "made"
    (made / "sub").mkdir(parents=True)
    (made / "dataset.json").write_text("{}")
    (made / "sub" / "text.txt").write_text(config.text)
    saved = run.save_dataset(
        made,
        project=config.project,
        name="toy",
        tags=["toy"],
        previews=[("white", np.full((4, 4, 3), 255, np.uint8))],
        statistics={"files": 2, "classes": {"a": 1, "b": 2}},
    )
    if config.mode == "die before the result":
        os._exit(9)
    copy = run.dataset(saved.id)
    assert (copy.folder / "sub" / "text.txt").read_text() == config.text
    return ToyResult(dataset=saved.id, version=saved.version, resumed=resumed, numbers={"a": 1.5})


STAGE = Stage("toy", "A toy.", toy, ToyConfig, ToyResult, "cpu", "data_processing")

if __name__ == "__main__":
    STAGE.main()
