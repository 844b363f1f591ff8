"""Sweeps on a real server and real agents, with trials that take no time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipelines.sweep.conftest import ROOT, SPACE, Sweeps, drawn, number

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def first() -> dict[str, str]:
    """The ids of the first sweep and its base; filled by the test that runs it."""
    return {}


def test_a_sweep_runs_passes_over_what_breaks_and_says_what_was_best(
    sweeps: Sweeps, first: dict[str, str]
) -> None:
    # Seed 0 draws an x above 0.6 twice, and one above 0.9.
    base = sweeps.base(fault_above="0.9", silent_above="0.65")
    sweep = sweeps.launch(f"base={base}", "trials=4", "parallel=2", *SPACE, "name=first")
    sweeps.wait(sweep, 800)
    done = sweeps.pipelines.command("watch", sweep)
    assert done.returncode == 0, done.stderr + done.stdout
    first |= {"base": base, "sweep": sweep}
    trials = sweeps.trials(sweep)
    assert [number(one) for one in trials] == [0, 1, 2, 3]
    assert len({one["hyperparams"]["Sweep"]["options"]["value"] for one in trials}) == 4
    for one in trials:
        options = one["hyperparams"]["Args"]
        assert {name: float(options[name]["value"]) for name in drawn(one)} == drawn(one)
        assert one["hyperparams"]["Sweep"]["sweep"]["value"] == sweep
        assert one["parent"] == sweep and one["tags"] == [f"sweep:{sweep}"]

    state = sweeps.pipelines.state(sweep)
    ends = {}
    for one, step in zip(trials, state.steps.values(), strict=True):
        x = drawn(one)["x"]
        wanted = "failed" if x > 0.65 else "completed"
        ends[step.stage] = step.status
        assert (step.status, step.task) == (wanted, one["id"]), step
        if 0.65 < x <= 0.9:
            assert "has reported no val/loss" in step.reason
    assert set(ends.values()) == {"completed", "failed"}, "choose another seed"
    assert [one["status"] for one in trials].count("failed") == 1
    best = min((t for t in trials if drawn(t)["x"] <= 0.65), key=lambda t: last(t, "val/loss"))
    assert f"best      trial {number(best)}: val/loss" in done.stdout
    assert best["id"] in done.stdout

    task = sweeps.pipelines.task(sweep)
    assert task["status"] == "completed"
    assert sweeps.artifact(sweep)["uri"].endswith(".json")
    plots = sweeps.pipelines.api.call("events.get_task_plots", task=sweep)["plots"]
    assert {"Trials", "History", "Parallel coordinates", "Slices"} <= {
        plot["variant"] for plot in plots
    }


def last(task: dict[str, Any], name: str) -> float:
    """The last value of a figure of a task."""
    every = [v for variants in task["last_metrics"].values() for v in variants.values()]
    return float(next(one["value"] for one in every if one["variant"] == name))


def test_new_run_with_another_range_searches_there(sweeps: Sweeps, first: dict[str, str]) -> None:
    """The calls that the web UI makes."""
    api = sweeps.pipelines.api
    queue = api.call("queues.get_all", name="^services$")["queues"][0]["id"]
    items = sweeps.pipelines.task(first["sweep"])["hyperparams"]["Args"]
    given = {name: item["value"] for name, item in items.items()}
    given |= {"space.x": json.dumps({"low": 0.2, "high": 0.4}), "trials": "1"}
    answer = api.call(
        "pipelines.start_pipeline",
        task=first["sweep"],
        queue=queue,
        args=[{"name": name, "value": value} for name, value in given.items()],
        verify_watched_queue=True,
    )
    sweeps.wait(answer["pipeline"], 400)
    trials = sweeps.trials(answer["pipeline"])
    assert len(trials) == 1 and 0.2 <= drawn(trials[0])["x"] <= 0.4
    assert sweeps.pipelines.task(answer["pipeline"])["status"] == "completed"


def test_a_clone_with_a_wrong_range_ends_with_its_reason_and_no_trial(
    sweeps: Sweeps, first: dict[str, str]
) -> None:
    api = sweeps.pipelines.api
    clone = api.call("tasks.clone", task=first["sweep"], new_task_name="edited")["id"]
    item = sweeps.pipelines.task(clone)["hyperparams"]["Args"]["space.x"]
    item["value"] = "{low: 1, high: 0}"
    api.call("tasks.edit_hyper_params", task=clone, hyperparams=[item])
    api.call("tasks.enqueue", task=clone, queue_name="services")
    sweeps.wait(clone)
    task = sweeps.pipelines.task(clone)
    reason = "space.x: low is 1.0, which isn't below high, 0.0"
    assert task["status"] == "failed"
    assert task["runtime"]["sightline_failure_message"] == reason
    assert not sweeps.trials(clone)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("base=nothing",), "base: there is no task with the id 'nothing'"),
        (("queues=cpu,cpuu",), "no queue 'cpuu' (for the trials); did you mean 'cpu'?"),
    ],
)
def test_what_is_not_there_is_said_at_the_launch(
    sweeps: Sweeps, first: dict[str, str], arguments: tuple[str, ...], line: str
) -> None:
    done = sweeps.pipelines.command("sweep", f"base={first['base']}", *SPACE, *arguments)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(line)


def test_a_sweep_can_be_registered_as_a_draft(sweeps: Sweeps) -> None:
    file = ROOT / "configs" / "sweeps" / "rice.yaml"
    done = sweeps.pipelines.command("register", str(file))
    assert done.returncode == 0, done.stderr
    kind, name, put, task = done.stdout.split()
    assert (kind, name, put) == ("sweep", "rice-sweep", "made")
    draft = sweeps.pipelines.task(task)
    assert (draft["status"], draft["type"]) == ("created", "controller")
    assert draft["script"]["entry_point"] == "-m pipelines.sweep.run"
    options = draft["hyperparams"]["Args"]
    assert json.loads(options["space.optimizer.lr"]["value"])["log"] == "true"
    assert "learning rate" in options["space.optimizer.lr"]["description"].lower()
    assert options["trials"]["value"] == "12" and options["epochs"]["value"] == "4"
