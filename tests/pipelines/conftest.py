"""Pipelines on a real stack: launched by the command line, watched through the plain API."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.stack.api import Api
from pipelines.state import PipelineState, stored_state

ROOT = Path(__file__).parents[2]
TINY_DATA = (
    "ingest.synthetic.train=12",
    "ingest.synthetic.val=4",
    "ingest.synthetic.test=4",
    "ingest.synthetic.sizes=[[200,160]]",
    "ingest.synthetic.symbols=2",
    "prepare.previews=0",
)
TINY_TRAINING = (
    "image_size=64",
    "backbone=test_resnet",
    "train.precision=float32",
    "train.network.hidden_width=32",
    "train.network.decoder_layers=2",
    "train.network.queries=4",
    "train.network.denoising_queries=0",
    "train.network.levels=1",
    "train.batch_size=4",
    "train.samples.count=0",
    "export.formats=onnx",
    "export.latency_calls=0",
    "quantize.forms=onnx",
    "quantize.calibration_pictures=4",
    "quantize.parity_pictures=3",
    "quantize.latency_calls=0",
    "quantize.resamples=100",
    "benchmark.runtimes=onnxruntime",
    "benchmark.seconds=0.2",
    "benchmark.rounds=1",
    "benchmark.batches=1",
    "benchmark.resamples=0",
)


@dataclass(frozen=True)
class Pipelines:
    """The pipelines of one stack."""

    environment: dict[str, str]
    api: Api

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `sightline ...`."""
        return subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def launch(self, *arguments: str) -> str:
        """Launch a pipeline; returns the id of the controller's task."""
        done = self.command("run", *arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.split("is queued: ")[1].split()[0]

    def task(self, task: str) -> dict[str, Any]:
        """Read a task."""
        found: dict[str, Any] = self.api.call("tasks.get_all", id=[task], search_hidden=True)[
            "tasks"
        ][0]
        return found

    def state(self, pipeline: str) -> PipelineState:
        """Read the state of a pipeline; empty before its controller has started."""
        return stored_state(self.task(pipeline)) or PipelineState(pipeline)

    def children(self, pipeline: str) -> list[dict[str, Any]]:
        """List the tasks that a pipeline has made."""
        found: list[dict[str, Any]] = self.api.call(
            "tasks.get_all", parent=[pipeline], search_hidden=True
        )["tasks"]
        return found

    def wait(
        self,
        pipeline: str,
        seconds: float = 150.0,
        until: Callable[[PipelineState], bool] | None = None,
    ) -> PipelineState:
        """Wait until a pipeline has ended, or until its state is as wanted."""
        deadline = time.monotonic() + seconds
        while True:
            task = self.task(pipeline)
            state = stored_state(task) or PipelineState(pipeline)
            if until is not None and until(state):
                return state
            ended = task["status"] not in ("queued", "in_progress", "created")
            if ended and until is None:
                return state
            assert not ended, f"{task['status']}: {state.reason}\n{self.log(pipeline)}"
            assert time.monotonic() < deadline, f"{state}\n{self.log(pipeline)}"
            time.sleep(0.1)

    def log(self, task: str) -> str:
        """Read what a task has printed last."""
        events = self.api.call("events.get_task_log", task=task, batch_size=200)["events"]
        return "\n".join(str(event.get("msg")) for event in reversed(events))[-3000:]

    def statuses(self, pipeline: str) -> dict[str, str]:
        """Read the stages' statuses."""
        return {name: step.status for name, step in self.state(pipeline).steps.items()}


@pytest.fixture
def tiny_data() -> Iterable[str]:
    """Options for a data pipeline of seconds."""
    return TINY_DATA


@pytest.fixture
def tiny_training() -> Iterable[str]:
    """Options for a training of seconds."""
    return TINY_TRAINING


@pytest.fixture(scope="session")
def pipelines(stack: Any) -> Pipelines:
    """The pipelines of the shared stack."""
    return Pipelines(stack.environment(OMP_NUM_THREADS="1"), stack.api())
