"""A pipeline through kills of the server, of an agent and of its controller, all in one run.

The agent is started again by itself and not by `up`, which would tell the server what was lost:
our controller must find that out alone, as it has to on ClearML Server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import psutil
import pytest

from agent.stack import up
from agent.stack.agents import plan_agents, start_agent
from agent.stack.api import Api
from agent.stack.credentials import load_credentials
from agent.stack.home import StackHome
from agent.stack.state import load_state, save_state
from pipelines.state import PipelineState
from tests.conftest import clean_environment, free_port
from tests.pipelines.conftest import Pipelines

# Minutes of waiting until what is silent counts as lost.
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(700)]

CHECKPOINTS = {"checkpoint_a", "checkpoint_b"}


def test_a_pipeline_outlives_server_agent_and_controller(
    stack_home: StackHome, tiny_data: Iterable[str], tiny_training: Iterable[str]
) -> None:
    report = up(home=stack_home.root, port=free_port())
    environment = clean_environment() | {
        "SIGHTLINE_HOME": str(stack_home.root),
        "CLEARML_CONFIG_FILE": str(report.conf),
        "OMP_NUM_THREADS": "1",
    }
    pipelines = Pipelines(environment, Api(report.url, load_credentials(stack_home)))
    pipeline = pipelines.launch(
        *("pipeline=detection", "epochs=16", "train.optimizer.lr=0.0005", "lost_after=12"),
        *(*tiny_data, *tiny_training),
    )

    # The server, while the first stage runs.
    pipelines.wait(pipeline, until=is_in("ingest", "running"))
    kill(server_pid(stack_home))
    time.sleep(2.0)
    up(home=stack_home.root)
    state = pipelines.wait(pipeline, until=is_in("prepare", "completed"))
    assert state.steps["ingest"].status == "completed"

    # The agent with its task, in mid-training, as when the machine loses its power.
    task = until_checkpoint(pipelines, pipeline)
    kill(agent_pid(stack_home, "gpu"))
    start_again(stack_home, "gpu")
    state = pipelines.wait(
        pipeline, until=lambda s: s.steps["train"].put_back == 1 and is_in("train", "running")(s)
    )
    assert "no sign of life" in state.steps["train"].reason
    assert state.steps["train"].task == task

    # The controller with its agent, while the same training goes on.
    wait_for(lambda: "going on from the last checkpoint" in pipelines.log(task))
    kill(agent_pid(stack_home, "services"))
    start_again(stack_home, "services")
    done = pipelines.command("resume", pipeline, "--force")
    assert done.returncode == 0, done.stderr

    state = pipelines.wait(pipeline, 400)
    assert {step.status for step in state.steps.values()} == {"completed"}, state
    assert pipelines.task(pipeline)["status"] == "completed"
    trainings = [t["id"] for t in pipelines.children(pipeline) if t["name"] == "train"]
    assert trainings == [task]
    assert len(pipelines.children(pipeline)) == len(state.steps)
    log = pipelines.log(pipeline)
    assert f"train: goes on as task {task}" in log

    clone_with_another_rate(pipelines, task)


def test_a_controller_killed_at_any_moment_starts_no_stage_twice(
    stack_home: StackHome, tiny_data: Iterable[str]
) -> None:
    report = up(home=stack_home.root, port=free_port())
    environment = clean_environment() | {
        "SIGHTLINE_HOME": str(stack_home.root),
        "CLEARML_CONFIG_FILE": str(report.conf),
        "OMP_NUM_THREADS": "1",
    }
    pipelines = Pipelines(environment, Api(report.url, load_credentials(stack_home)))
    moments = random.Random(0)
    for seed in range(6):
        pipeline = pipelines.launch("pipeline=data", f"seed={100 + seed}", *tiny_data)
        for _ in range(3):
            wait_for(lambda one=pipeline: pipelines.task(one)["status"] != "queued")
            # From before its first line to the end of the second stage.
            time.sleep(moments.uniform(0.0, 8.0))
            kill(agent_pid(stack_home, "services"))
            start_again(stack_home, "services")
            if pipelines.task(pipeline)["status"] == "completed":
                break
            done = pipelines.command("resume", pipeline, "--force")
            assert done.returncode == 0, done.stderr
        state = pipelines.wait(pipeline)
        assert {step.status for step in state.steps.values()} == {"completed"}, state
        children = [task["name"] for task in pipelines.children(pipeline)]
        assert sorted(children) == ["ingest", "prepare"]


def clone_with_another_rate(pipelines: Pipelines, task: str) -> None:
    """A finished training task, cloned and edited as in the web UI, runs with what was edited."""
    clone = pipelines.api.call("tasks.clone", task=task, new_task_name="train by hand")["id"]
    before = pipelines.task(task)["hyperparams"]["Args"]
    edited = {"optimizer.lr": "0.0007", "epochs": "1"}
    pipelines.api.call(
        "tasks.edit_hyper_params",
        task=clone,
        hyperparams=[{**before[name], "value": value} for name, value in edited.items()],
    )
    queue = pipelines.api.call("queues.get_all", name="^gpu$")["queues"][0]["id"]
    pipelines.api.call("tasks.enqueue", task=clone, queue=queue)
    wait_for(lambda: pipelines.task(clone)["status"] in ("completed", "failed"), 120)
    now = pipelines.task(clone)
    assert now["status"] == "completed", pipelines.log(clone)
    after = now["hyperparams"]["Args"]
    changed = {name for name in after if after[name]["value"] != before[name]["value"]}
    assert changed == set(edited)
    assert now["hyperparams"]["Result"]["epochs"]["value"] == "1"
    assert now["hyperparams"]["Result"]["model"] != pipelines.task(task)["hyperparams"]["Result"]
    rates = pipelines.api.call("events.scalar_metrics_iter_histogram", task=clone)
    peak = max(
        value
        for title, series in rates.items()
        if "rate" in title.lower() or "lr" in title.lower()
        for one in series.values()
        for value in one["y"]
    )
    assert 0.0 < peak <= 0.0007


def is_in(stage: str, status: str) -> Callable[[PipelineState], bool]:
    return lambda state: stage in state.steps and state.steps[stage].status == status


def until_checkpoint(pipelines: Pipelines, pipeline: str) -> str:
    """Wait until the training has uploaded a checkpoint; returns its task."""
    state = pipelines.wait(pipeline, until=is_in("train", "running"))
    task = state.steps["train"].task

    def has_one() -> bool:
        found: list[dict[str, Any]] = pipelines.task(task)["execution"].get("artifacts") or []
        return bool(CHECKPOINTS & {artifact["key"] for artifact in found})

    wait_for(has_one, 90)
    return task


def wait_for(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kill(pid: int) -> None:
    """Kill a process and everything under it at once."""
    root = psutil.Process(pid)
    everything = [root, *root.children(recursive=True)]
    for process in everything:
        process.kill()
    psutil.wait_procs(everything, timeout=10)


def server_pid(home: StackHome) -> int:
    state = load_state(home)
    assert state is not None and state.server is not None
    return state.server.pid


def agent_pid(home: StackHome, name: str) -> int:
    state = load_state(home)
    assert state is not None
    process = state.agents[name].process
    assert process is not None
    return process.pid


def start_again(home: StackHome, name: str) -> None:
    """Start an agent and tell nobody what it was doing before."""
    state = load_state(home)
    assert state is not None
    plan = next(plan for plan in plan_agents(state.counts) if plan.name == name)
    record = start_agent(home, state, load_credentials(home), plan)
    save_state(home, replace(state, agents={**state.agents, name: record}))
