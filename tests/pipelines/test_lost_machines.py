"""Machines that go away in mid-training, as spot instances do: with their disk, or one of several.

A training that was cut and taken up elsewhere ends with the weights of one that was left alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterable
from typing import Any

import pytest
import requests

from agent.stack import up
from agent.stack.api import Api
from agent.stack.credentials import load_credentials
from agent.stack.home import StackHome
from pipelines.state import PipelineState
from tests.conftest import clean_environment, free_port
from tests.pipelines.conftest import Pipelines
from tests.pipelines.test_pipeline_kills import (
    agent_pid,
    is_in,
    kill,
    start_again,
    until_checkpoint,
    wait_for,
)

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "aws-secret-4711",
    "HF_TOKEN": "hf_token_0815",
    "CLEARML_AGENT_GIT_PASS": "git-password-42",
}
"""What users and agents have in their environment."""


@pytest.fixture
def pipelines(stack_home: StackHome, monkeypatch: pytest.MonkeyPatch) -> Pipelines:
    """A stack with two agents for training, and secrets in everyone's environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    report = up(home=stack_home.root, port=free_port(), agents={"gpu": 2})
    environment = clean_environment() | SECRETS
    environment |= {
        "SIGHTLINE_HOME": str(stack_home.root),
        "CLEARML_CONFIG_FILE": str(report.conf),
        "OMP_NUM_THREADS": "1",
    }
    return Pipelines(environment, Api(report.url, load_credentials(stack_home)))


def agent_of(pipelines: Pipelines, task: str) -> str:
    """The name in the stack of the agent that runs a task."""
    name: str = pipelines.task(task)["last_worker"].split(":")[1]
    return name


def trained(pipelines: Pipelines, pipeline: str) -> PipelineState:
    """Wait for the end of the training, and stop the pipeline: what follows isn't looked at."""
    state = pipelines.wait(pipeline, 600, until=is_in("train", "completed"))
    assert pipelines.command("stop", pipeline).returncode == 0
    return state


def ended_alone(pipelines: Pipelines, task: str) -> str:
    """Run a clone of a finished training, and leave it alone; returns its task."""
    clone: str = pipelines.api.call("tasks.clone", task=task, new_task_name="left alone")["id"]
    pipelines.api.call("tasks.enqueue", task=clone, queue_name="gpu")
    ended = ("completed", "failed", "stopped")
    wait_for(lambda: pipelines.task(clone)["status"] in ended, 300)
    assert pipelines.task(clone)["status"] == "completed", pipelines.log(clone)
    return clone


def weights(pipelines: Pipelines, home: StackHome, task: str) -> dict[str, str]:
    """Digests of the weights in the package that a training has made, by file."""
    model = pipelines.task(task)["hyperparams"]["Result"]["model"]["value"]
    uri = pipelines.api.call("models.get_all", id=[model])["models"][0]["uri"]
    key = load_credentials(home)
    answer = requests.get(uri, auth=(key.access_key, key.secret_key), timeout=30)
    if answer.status_code == 401:  # files want a token
        pair = (key.access_key, key.secret_key)
        login = requests.post(f"{uri.split('/files')[0]}/auth.login", auth=pair, timeout=30)
        token = login.json()["data"]["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        answer = requests.get(uri, headers=bearer, timeout=30)
    answer.raise_for_status()
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        names = [name for name in package.namelist() if name.endswith(".safetensors")]
        assert names
        return {name: hashlib.sha256(package.read(name)).hexdigest() for name in names}


def assert_curves_are_whole(pipelines: Pipelines, task: str, epochs: int) -> None:
    """Each point is there, once."""
    found = pipelines.api.call(
        "events.get_task_events", task=task, event_type="training_stats_scalar", batch_size=5000
    )["events"]
    points = [(e["metric"], e["variant"], e["iter"]) for e in found if e["metric"] == "loss"]
    assert len(points) == len(set(points)) > 0
    assert {step for _, _, step in points} == set(range(1, epochs + 1))


def assert_no_secret_is_told(pipelines: Pipelines, home: StackHome) -> None:
    """Not in a task's fields (parameters, configuration, container, script), nor in its console."""
    key = load_credentials(home)
    secrets = [*SECRETS.values(), key.secret_key, key.access_key]
    tasks = pipelines.api.call("tasks.get_all", search_hidden=True)["tasks"]
    assert len(tasks) > 4
    for task in tasks:
        log: list[dict[str, Any]] = []
        page = pipelines.api.call(
            "events.get_task_log", task=task["id"], batch_size=5000, navigate_earlier=False
        )
        log += page["events"]
        text = json.dumps([task, log])
        for secret in secrets:
            assert secret not in text, f"{task['name']} tells {secret}"
    models = pipelines.api.call("models.get_all")["models"]
    for secret in secrets:
        assert secret not in json.dumps(models)


def test_a_machine_that_is_lost_with_its_disk(
    pipelines: Pipelines,
    stack_home: StackHome,
    tiny_data: Iterable[str],
    tiny_training: Iterable[str],
) -> None:
    pipeline = pipelines.launch(
        *("pipeline=detection", "epochs=14", "lost_after=12", "train.optimizer.lr=0.0005"),
        *(*tiny_data, *tiny_training),
    )
    task = until_checkpoint(pipelines, pipeline)
    lost = agent_of(pipelines, task)
    kill(agent_pid(stack_home, lost))
    shutil.rmtree(stack_home.agents / lost)
    shutil.rmtree(stack_home.cache)  # datasets too: they were on that machine's disk
    stack_home.cache.mkdir()

    state = pipelines.wait(
        pipeline, until=lambda s: s.steps["train"].put_back == 1 and is_in("train", "running")(s)
    )
    assert state.steps["train"].task == task
    wait_for(lambda: "going on from the last checkpoint" in pipelines.log(task))
    assert agent_of(pipelines, task) != lost
    trained(pipelines, pipeline)

    assert_curves_are_whole(pipelines, task, 14)
    alone = ended_alone(pipelines, task)
    assert "going on" not in pipelines.log(alone)
    assert weights(pipelines, stack_home, task) == weights(pipelines, stack_home, alone)
    assert_no_secret_is_told(pipelines, stack_home)


def test_a_node_that_is_lost(
    pipelines: Pipelines,
    stack_home: StackHome,
    tiny_data: Iterable[str],
    tiny_training: Iterable[str],
) -> None:
    """Training over two agents by ClearML's multi-node launch, and one of them killed."""
    pipeline = pipelines.launch(
        *("pipeline=detection", "epochs=14", "lost_after=12", "train.optimizer.lr=0.0005"),
        *("train.nodes=2", *tiny_data, *tiny_training),
    )
    task = until_checkpoint(pipelines, pipeline)

    def nodes() -> list[dict[str, Any]]:
        found = pipelines.children(task)
        return sorted((one for one in found if "node" in one["name"]), key=lambda n: n["created"])

    (first_node,) = nodes()
    assert "multi_node_instance" in first_node["system_tags"]
    lost = agent_of(pipelines, first_node["id"])
    assert lost != agent_of(pipelines, task)
    kill(agent_pid(stack_home, lost))
    start_again(stack_home, lost)

    state = trained(pipelines, pipeline)
    assert state.steps["train"].task == task
    assert state.steps["train"].retried == 1
    log = pipelines.log(task)
    assert "going on from the last checkpoint" in log
    assert "on 2 x cpu" in log
    ends = [(one["status"], one["name"]) for one in nodes()]
    assert ends == [("stopped", "train node 1"), ("completed", "train node 1")]

    # One set of curves and one model, those of the first node.
    assert_curves_are_whole(pipelines, task, 14)
    for node in nodes():
        events = pipelines.api.call(
            "events.get_task_events", task=node["id"], event_type="training_stats_scalar"
        )["events"]
        assert not [event for event in events if event["metric"] in ("loss", "validation")]
        assert not (node.get("execution") or {}).get("artifacts")
    made = pipelines.api.call("models.get_all", task=[task])["models"]
    assert len(made) == 1

    alone = ended_alone(pipelines, task)
    assert weights(pipelines, stack_home, task) == weights(pipelines, stack_home, alone)
    assert_no_secret_is_told(pipelines, stack_home)
