"""A sweep through kills of its own process and of an agent, with two agents for its trials."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from agent.stack.home import StackHome
from agent.stack.state import load_state
from pipelines.sweep.options import SweepOptions
from pipelines.sweep.space import parse_space
from pipelines.sweep.study import Outcome, Study
from tests.pipelines.sweep.conftest import SPACE, Sweeps, drawn, ended, number, starts
from tests.pipelines.test_pipeline_kills import agent_pid, kill, start_again, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1500)]

TRIALS = 12


def test_killed_controller_and_killed_agent_cost_no_trial_and_a_crash_costs_one(
    stack_home: StackHome, two_agents: Sweeps
) -> None:
    sweeps = two_agents
    # Seed 0 draws one x above 0.9: that trial's process dies.
    base = sweeps.base(pause="1.0", steps="3", fault_above="0.9")
    sweep = sweeps.launch(f"base={base}", f"trials={TRIALS}", "lost_after=12", *SPACE)

    # The controller, with its agent, when five trials have ended and two run.
    sweeps.wait(sweep, 700, until=ended(5))
    kill(agent_pid(stack_home, "services"))
    running = {t["id"] for t in sweeps.trials(sweep) if t["status"] in ("queued", "in_progress")}
    start_again(stack_home, "services")
    done = sweeps.pipelines.command("resume", sweep, "--force")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: "goes on with" in sweeps.pipelines.log(sweep), 120)

    # An agent, with its trial.
    sweeps.wait(sweep, 700, until=ended(7))
    name = agents_of(stack_home)[0]
    wait_for(lambda: runs(sweeps, sweep, name), 120)
    kill(agent_pid(stack_home, name))
    start_again(stack_home, name)

    state = sweeps.wait(sweep, 900)
    assert sweeps.pipelines.task(sweep)["status"] == "completed", state
    trials = sweeps.trials(sweep)
    assert [number(one) for one in trials] == list(range(TRIALS))
    assert len({str(drawn(one)) for one in trials}) == TRIALS
    assert running <= {one["id"] for one in trials}
    wanted = {one["id"]: "failed" if drawn(one)["x"] > 0.9 else "completed" for one in trials}
    assert {step.task: step.status for step in state.steps.values()} == wanted
    assert list(wanted.values()).count("failed") >= 1, "choose another seed"
    assert any(step.put_back for step in state.steps.values())
    one_study(trials)
    print("seconds between trials on an agent:", starts(trials))


def one_study(trials: list[dict[str, Any]]) -> None:
    """The trials are those of one study that was never interrupted, given the same history."""
    entries = dict(word.removeprefix("space.").split("=", 1) for word in SPACE[:2])
    space = parse_space(entries, {"x": False, "rate": False})
    study = Study(space, SweepOptions(), ["minimize"])
    outcomes: dict[int, Outcome] = {}
    for one in trials:
        values = [v for group in one["last_metrics"].values() for v in group.values()]
        loss = [v["value"] for v in values if v["variant"] == "val/loss"]
        outcomes[number(one)] = Outcome("complete", tuple(loss)) if loss else Outcome("failed")
    for one in trials:
        for told in json.loads(one["hyperparams"]["Sweep"]["told"]["value"]):
            study.tell(told, outcomes[told])
        assert study.ask() == drawn(one)


def agents_of(home: StackHome) -> list[str]:
    state = load_state(home)
    assert state is not None
    return [name for name in state.agents if name.startswith("cpu")]


def runs(sweeps: Sweeps, sweep: str, agent: str) -> bool:
    """Whether an agent has been at a trial for a moment."""
    state = sweeps.pipelines.state(sweep)
    now = [s for s in state.steps.values() if s.status == "running" and s.started]
    return any(
        step.worker.endswith(f":{agent}") and time.time() - step.started > 0.5 for step in now
    )
