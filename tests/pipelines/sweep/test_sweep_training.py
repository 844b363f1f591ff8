"""A sweep over a real training with two agents, killed in the middle; the best model goes on."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from agent.stack.home import StackHome
from pipelines.sweep.releases import release_name
from tests.pipelines.sweep.conftest import Sweeps, drawn, ended, number, starts
from tests.pipelines.test_pipeline_kills import agent_pid, kill, start_again

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(3000)]

TRIALS = 12


def test_twelve_trainings_and_what_is_made_of_the_best(
    stack_home: StackHome,
    two_agents: Sweeps,
    tiny_data: Iterable[str],
    tiny_training: Iterable[str],
) -> None:
    sweeps = two_agents
    data = sweeps.pipelines.launch("pipeline=data", "dataset=tiny", *tiny_data)
    assert {s.status for s in sweeps.pipelines.wait(data).steps.values()} == {"completed"}
    sweep = sweeps.launch(
        *("family=detection", "dataset=tiny", "name=tiny", "epochs=2", f"trials={TRIALS}"),
        "space.optimizer.lr={low: 1e-4, high: 1e-2, log: true}",
        "space.optimizer.weight_decay={low: 1e-5, high: 1e-2, log: true}",
        "space.batch_size=[2, 4]",
        *("objectives=max val/mAP50, min latency_ms", "train.latency_calls=3", "best=1"),
        *(word for word in tiny_training if not word.startswith("train.batch_size")),
    )
    sweeps.wait(sweep, 900, until=ended(4))
    kill(agent_pid(stack_home, "services"))
    start_again(stack_home, "services")
    done = sweeps.pipelines.command("resume", sweep, "--force")
    assert done.returncode == 0, done.stderr

    state = sweeps.wait(sweep, 1800)
    trials = sweeps.trials(sweep)
    print("seconds between trials on an agent:", starts(trials))
    assert sweeps.pipelines.task(sweep)["status"] == "completed"
    assert [number(one) for one in trials] == list(range(TRIALS))
    assert len({str(drawn(one)) for one in trials}) == TRIALS
    assert {step.status for step in state.steps.values()} == {"completed"}, state
    released = [task for task in sweeps.pipelines.children(sweep) if task["type"] == "controller"]
    assert len(released) == 1 and state.ending is not None
    assert any(released[0]["id"] in line for line in state.ending)
    end = sweeps.pipelines.wait(released[0]["id"], 1500)
    assert {step.status for step in end.steps.values()} == {"completed"}, end
    name = released[0]["name"].partition(" #")[0]
    best = next(one for one in trials if name == release_name("tiny", number(one)))
    tuned = sweeps.pipelines.task(end.steps["tune"].task)["hyperparams"]["Args"]["model"]
    assert tuned["value"] == best["hyperparams"]["Result"]["model"]["value"]
