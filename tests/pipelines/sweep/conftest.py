"""Sweeps of a toy on a real stack, launched by the command line."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.stack import up
from agent.stack.api import Api
from agent.stack.credentials import load_credentials
from agent.stack.home import StackHome
from pipelines.state import PipelineState
from pipelines.tasks import moment
from tests.conftest import clean_environment, free_port
from tests.pipelines.conftest import Pipelines

ROOT = Path(__file__).parents[3]
SPACE = (
    "space.x={low: 0, high: 1}",
    "space.rate={low: 1e-5, high: 1e-1, log: true}",
    "objectives=min val/loss",
)
_MAKE = """
import json, sys
from components.code import read_code_state
from components.options import options_of, defaults
from components.run.api import call, find_or_create_project, server_url
from components.template import hyperparameters
from tests.pipelines.sweep.toy_trial import TrialConfig
values = defaults(TrialConfig) | dict(word.split("=") for word in sys.argv[1:])
code = read_code_state(server_url())
print(call("tasks.create", name="toy", type="training", project=find_or_create_project("Toys"),
    script=code.script("tests.pipelines.sweep.toy_trial"),
    hyperparams=hyperparameters(options_of(TrialConfig), values, code))["id"])
"""


@dataclass(frozen=True)
class Sweeps:
    """The sweeps of one stack."""

    pipelines: Pipelines

    def base(self, **options: str) -> str:
        """Make a toy's task; returns its id."""
        done = subprocess.run(
            [sys.executable, "-c", _MAKE, *(f"{n}={v}" for n, v in options.items())],
            env=self.pipelines.environment | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split("\n")[-1]

    def launch(self, *arguments: str) -> str:
        """Launch a sweep; returns the id of its task."""
        done = self.pipelines.command("sweep", *arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.split("is queued: ")[1].split()[0]

    def trials(self, sweep: str) -> list[dict[str, Any]]:
        """Read the tasks of a sweep's trials in the order of their numbers."""
        found = [t for t in self.pipelines.children(sweep) if "Sweep" in t["hyperparams"]]
        return sorted(found, key=number)

    def wait(
        self,
        sweep: str,
        seconds: float = 150.0,
        until: Callable[[PipelineState], bool] | None = None,
    ) -> PipelineState:
        """Wait until a sweep has ended, or until its state is as wanted."""
        return self.pipelines.wait(sweep, seconds, until)

    def artifact(self, sweep: str) -> dict[str, Any]:
        """Read the artifact that a sweep leaves."""
        artifacts = self.pipelines.task(sweep)["execution"]["artifacts"]
        return {one["key"]: one for one in artifacts}["sweep"]


def number(task: dict[str, Any]) -> int:
    """The number of a trial."""
    return int(task["hyperparams"]["Sweep"]["number"]["value"])


def drawn(task: dict[str, Any]) -> dict[str, Any]:
    """What a trial was given."""
    found: dict[str, Any] = json.loads(task["hyperparams"]["Sweep"]["options"]["value"])
    return found


@pytest.fixture
def sweeps(pipelines: Pipelines) -> Sweeps:
    """The sweeps of the shared stack."""
    return Sweeps(pipelines)


@pytest.fixture
def two_agents(stack_home: StackHome) -> Iterator[Sweeps]:
    """Sweeps on a stack of this test's own with two agents for cpu and two for gpu."""
    report = up(home=stack_home.root, port=free_port(), agents={"cpu": 2, "gpu": 2})
    environment = clean_environment() | {
        "SIGHTLINE_HOME": str(stack_home.root),
        "CLEARML_CONFIG_FILE": str(report.conf),
        "OMP_NUM_THREADS": "1",
    }
    yield Sweeps(Pipelines(environment, Api(report.url, load_credentials(stack_home))))


def starts(trials: list[dict[str, Any]]) -> list[float]:
    """Seconds from the end of a trial to the start of the next one on the same agent."""
    gaps = []
    for worker in {one["last_worker"] for one in trials}:
        mine = sorted(
            (moment(t["started"]), moment(t["completed"]))
            for t in trials
            if t["last_worker"] == worker
        )
        gaps += [round(b[0] - a[1], 2) for a, b in itertools.pairwise(mine)]
    return gaps


def ended(count: int) -> Callable[[PipelineState], bool]:
    def enough(state: PipelineState) -> bool:
        return sum(s.status in ("completed", "failed") for s in state.steps.values()) >= count

    return enough
