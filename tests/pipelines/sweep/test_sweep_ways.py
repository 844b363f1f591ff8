"""The ways a sweep can go: grids, several objectives, pruning, limits, aborts, and going on."""

from __future__ import annotations

import pytest

from pipelines.state import PipelineState
from tests.pipelines.sweep.conftest import SPACE, Sweeps, drawn, number
from tests.pipelines.test_pipeline_kills import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_grid_with_conditions_ends_with_its_last_combination_and_shows_the_front(
    sweeps: Sweeps,
) -> None:
    sweep = sweeps.launch(
        f"base={sweeps.base()}",
        *("sampler=grid", "trials=20", "parallel=2", "name=grid"),
        "space.kind=[plain, bent]",
        "space.bend={choices: [0.1, 0.9], when: {kind: bent}}",
        "space.size=[2, 8]",
        "objectives=min val/loss, min latency_ms",
        "constraints=latency_ms<=10",
    )
    state = sweeps.wait(sweep, 400)
    trials = sweeps.trials(sweep)
    assert len(trials) == 6
    assert sum("bend" in drawn(one) for one in trials) == 4
    steps = state.steps.values()
    assert {step.status for step in steps} == {"completed"}
    slow = [step for step in steps if "latency_ms 16" in step.reason]
    assert len(slow) == 3 and all("misses a constraint" in step.reason for step in slow)
    # bent by 0.1 costs 0.01, plain 0.05; the smaller size is as good and faster.
    best = next(t for t in trials if drawn(t) == {"kind": "bent", "bend": "0.1", "size": "2"})
    assert state.ending is not None
    assert f"front     trial {number(best)}: val/loss 0.05, latency_ms 4" in state.ending[1]
    assert len([line for line in state.ending if line.startswith("front")]) == 1
    plots = sweeps.pipelines.api.call("events.get_task_plots", task=sweep)["plots"]
    assert "Pareto front" in {plot["variant"] for plot in plots}


def test_a_hopeless_trial_is_ended_while_it_runs(sweeps: Sweeps) -> None:
    # Seed 0 draws losses of about 0.33, 0.36, 0.59 and 0.16.
    base = sweeps.base(steps="40", pause="0.25")
    sweep = sweeps.launch(
        f"base={base}",
        *("trials=4", "parallel=1", "name=pruned", "pruner=median", "pruner_startup=1"),
        *SPACE,
    )
    state = sweeps.wait(sweep, 400)
    ends = [step.status for step in state.steps.values()]
    assert ends == ["completed", "pruned", "pruned", "completed"]
    for one, end in zip(sweeps.trials(sweep), ends, strict=True):
        verdict = one["hyperparams"]["Sweep"]["ended"]["value"]
        assert one["status"] == ("stopped" if end == "pruned" else "completed")
        assert verdict.startswith("pruned: val/loss") == (end == "pruned")
        assert (one["last_iteration"] < 39) == (end == "pruned")


def test_limits_end_a_trial_which_counts_as_it_is(sweeps: Sweeps) -> None:
    base = sweeps.base(steps="400", pause="0.1")
    arguments = (f"base={base}", "trials=1", "trial_iterations=5", *SPACE, "name=limited")
    sweep = sweeps.launch(*arguments)
    state = sweeps.wait(sweep, 200)
    step = state.steps["trial 0"]
    # It was told to end before its single value; the last point of the curve counts.
    assert step.status == "completed"
    assert "stopped: it has gone beyond 5 iterations" in step.reason
    assert sweeps.trials(sweep)[0]["status"] == "stopped"


def test_an_aborted_trial_costs_itself_and_a_stopped_sweep_goes_on_with_the_others(
    sweeps: Sweeps,
) -> None:
    base = sweeps.base(steps="100", pause="0.1")
    sweep = sweeps.launch(f"base={base}", "trials=3", "parallel=1", *SPACE, "name=stopped")

    def runs(number: int):  # type: ignore[no-untyped-def]
        def is_at_it(state: PipelineState) -> bool:
            step = state.steps.get(f"trial {number}")
            return step is not None and step.status == "running" and step.started > 0

        return is_at_it

    state = sweeps.wait(sweep, 200, until=runs(0))
    sweeps.pipelines.api.call("tasks.stop", task=state.steps["trial 0"].task)
    state = sweeps.wait(sweep, 200, until=runs(1))
    assert state.steps["trial 0"].status == "failed"

    done = sweeps.pipelines.command("stop", sweep)
    assert done.returncode == 0, done.stderr
    sweeps.wait(sweep)
    wait_for(lambda: sweeps.trials(sweep)[1]["status"] == "stopped")
    assert sweeps.pipelines.task(sweep)["status"] == "stopped"
    done = sweeps.pipelines.command("resume", "stopped")
    assert done.returncode == 0, done.stdout + done.stderr
    state = sweeps.wait(sweep, 400)
    ends = [step.status for step in state.steps.values()]
    assert ends == ["failed", "completed", "completed"]
    assert [number(one) for one in sweeps.trials(sweep)] == [0, 1, 2]
