"""Pipelines on a real server and real agents, with the stages that need no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Pipelines

pytestmark = [pytest.mark.stack]


@pytest.fixture(scope="module")
def first() -> dict[str, str]:
    """The ids of the first pipeline's tasks; filled by the test that runs it."""
    return {}


def test_a_pipeline_runs_and_says_so(
    pipelines: Pipelines, tiny_data: Iterable[str], first: dict[str, str]
) -> None:
    done = pipelines.command("run", "pipeline=data", "dataset=tiny", *tiny_data, "--wait")
    assert done.returncode == 0, done.stderr + done.stdout
    pipeline = done.stdout.split("is queued: ")[1].split()[0]
    state = pipelines.state(pipeline)
    first |= {"pipeline": pipeline, **{n: step.task for n, step in state.steps.items()}}
    assert {step.status for step in state.steps.values()} == {"completed"}
    assert "prepare: completed in" in done.stdout
    assert "pictures/train" in done.stdout  # a figure
    assert "dataset   tiny 1.0.0" in done.stdout  # where it lies

    controller = pipelines.task(pipeline)
    assert controller["status"] == "completed"
    assert controller["system_tags"] == ["pipeline"]
    assert controller["type"] == "controller"
    assert controller["script"]["entry_point"] == "-m pipelines.run"
    project = pipelines.api.call("projects.get_by_id", project=controller["project"])["project"]
    assert project["name"] == "Sightline/.pipelines/data"
    assert {"pipeline", "hidden"} <= set(project["system_tags"])
    for step in state.steps.values():
        task = pipelines.task(step.task)
        assert task["status"] == "completed"
        assert task["parent"] == pipeline
        assert task["script"]["version_num"] == controller["script"]["version_num"]
    raw = pipelines.task(state.steps["ingest"].task)["hyperparams"]["Result"]["dataset"]["value"]
    taken = pipelines.task(state.steps["prepare"].task)["hyperparams"]["Args"]["dataset"]
    assert taken["value"] == raw
    graph = controller["configuration"]["Pipeline"]["value"]
    assert '"job_id": "' + state.steps["prepare"].task in graph
    values = pipelines.api.call("events.get_task_single_value_metrics", tasks=[pipeline])
    assert {v["variant"]: v["value"] for v in values["tasks"][0]["values"]}["pictures/train"] == 12
    kept = {one["key"]: one["uri"] for one in controller["execution"]["artifacts"]}
    assert f"report    {kept['report']}" in done.stdout
    (report,) = pipelines.api.call(
        "tasks.get_all", type=["report"], tags=[f"pipeline:{pipeline}"], search_hidden=True
    )["tasks"]
    home = pipelines.api.call("projects.get_by_id", project=report["project"])["project"]["name"]
    assert home == "Sightline/.reports"
    for words in ("## What ran", "| ingest | completed |", "| tiny 1.0.0 |", "| dataset | tiny |"):
        assert words in report["report"]


def test_new_run_with_the_same_arguments_comes_from_cache(
    pipelines: Pipelines, first: dict[str, str]
) -> None:
    pipeline = start_as_the_web_ui_does(pipelines, first["pipeline"])
    state = pipelines.wait(pipeline)
    assert {step.status for step in state.steps.values()} == {"cached"}
    assert {n: s.task for n, s in state.steps.items()} == {
        n: t for n, t in first.items() if n != "pipeline"
    }
    assert not pipelines.children(pipeline)
    assert pipelines.task(pipeline)["status"] == "completed"


def test_new_run_with_another_seed_runs_with_it_and_keeps_the_rest(
    pipelines: Pipelines, first: dict[str, str]
) -> None:
    pipeline = start_as_the_web_ui_does(pipelines, first["pipeline"], seed="7")
    state = pipelines.wait(pipeline)
    assert {step.status for step in state.steps.values()} == {"completed"}
    before = options(pipelines.task(first["ingest"]))
    now = options(pipelines.task(state.steps["ingest"].task))
    assert {n for n in now if now[n] != before[n]} == {"synthetic.seed"}
    assert now["synthetic.seed"] == "7"
    assert now["synthetic.train"] == "12"


def test_a_deleted_dataset_is_made_anew(pipelines: Pipelines, first: dict[str, str]) -> None:
    result = pipelines.task(first["prepare"])["hyperparams"]["Result"]
    pipelines.api.call("tasks.delete", task=result["dataset"]["value"], force=True)
    state = pipelines.wait(start_as_the_web_ui_does(pipelines, first["pipeline"]))
    assert {n: s.status for n, s in state.steps.items()} == {
        "ingest": "cached",
        "prepare": "completed",
    }


def test_a_users_mistake_ends_the_pipeline_with_one_line(
    pipelines: Pipelines, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no pictures here")
    done = pipelines.command("run", "pipeline=data", f"data.source={tmp_path}", "--wait")
    assert done.returncode == 1
    line = f"the pipeline failed: ingest failed: {tmp_path}: found nothing there that detection"
    assert line in done.stdout
    pipeline = done.stdout.split("is queued: ")[1].split()[0]
    assert pipelines.statuses(pipeline) == {"ingest": "failed", "prepare": "skipped"}
    assert pipelines.task(pipeline)["status"] == "failed"
    assert pipelines.state(pipeline).steps["ingest"].retried == 0


def test_wrong_arguments_of_new_run_end_it_before_any_stage(
    pipelines: Pipelines, first: dict[str, str]
) -> None:
    pipeline = start_as_the_web_ui_does(pipelines, first["pipeline"], seed="seven")
    pipelines.wait(pipeline)
    task = pipelines.task(pipeline)
    assert task["status"] == "failed"
    assert task["runtime"]["sightline_failure_message"].startswith("seed: expected whole number")
    assert not pipelines.children(pipeline)


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("queue.cpu=cpuu", "no queue 'cpuu' (for ingest, prepare); did you mean 'cpu'?"),
        ("data.source=/not/there", "there is no file or folder '/not/there'"),
    ],
)
def test_what_is_not_there_is_said_at_the_launch(
    pipelines: Pipelines, argument: str, line: str
) -> None:
    done = pipelines.command("run", "pipeline=data", argument)
    assert done.returncode == 1
    assert line in done.stderr
    assert len(done.stderr.strip().split("\n")) == 1


def test_a_dataset_that_is_not_there_is_said_at_the_launch(pipelines: Pipelines) -> None:
    done = pipelines.command("run", "pipeline=train-eval", "dataset=tini")
    assert done.returncode == 1
    assert "no dataset" in done.stderr
    assert "did you mean Sightline/tiny" in done.stderr


def test_a_queue_nobody_serves_shows_as_waiting_and_an_abort_ends_it(
    pipelines: Pipelines, tiny_data: Iterable[str]
) -> None:
    pipelines.api.call("queues.create", name="unserved")
    done = pipelines.command("run", "pipeline=data", "queue.cpu=unserved", "seed=11", *tiny_data)
    assert "ingest, prepare will wait: no agent serves the queue 'unserved'" in done.stdout
    pipeline = done.stdout.split("is queued: ")[1].split()[0]

    def waits(state: Any) -> bool:
        return bool(state.steps) and state.steps["ingest"].status == "waiting"

    state = pipelines.wait(pipeline, until=waits)
    assert "no agent serves the queue 'unserved'; start one with" in state.steps["ingest"].reason
    assert "no agent serves the queue 'unserved'" in pipelines.task(pipeline)["comment"]
    pipelines.api.call("tasks.stop", task=pipeline)  # as the web UI aborts it
    state = pipelines.wait(pipeline)
    assert {n: s.status for n, s in state.steps.items()} == {
        "ingest": "aborted",
        "prepare": "skipped",
    }
    assert pipelines.task(state.steps["ingest"].task)["status"] == "stopped"
    assert pipelines.task(pipeline)["status"] == "stopped"


def test_an_aborted_stage_is_not_retried_and_a_resumed_pipeline_goes_on_with_it(
    pipelines: Pipelines, tiny_data: Iterable[str]
) -> None:
    slow = [word for word in tiny_data if "synthetic.train" not in word]
    pipeline = pipelines.launch(
        "pipeline=data", "seed=12", "ingest.synthetic.train=3000", "name=long", *slow
    )
    state = pipelines.wait(
        pipeline, until=lambda s: bool(s.steps) and s.steps["ingest"].status == "running"
    )
    task = state.steps["ingest"].task
    pipelines.api.call("tasks.stop", task=task, status_reason="aborted by a user")
    state = pipelines.wait(pipeline)
    assert state.steps["ingest"].status == "aborted"
    assert state.steps["ingest"].put_back == state.steps["ingest"].retried == 0
    assert pipelines.task(pipeline)["status"] == "failed"
    assert "ingest aborted: someone has stopped it" in state.reason

    done = pipelines.command("resume", "long")
    assert done.returncode == 0, done.stderr
    state = pipelines.wait(
        pipeline, until=lambda s: not s.reason and s.steps["ingest"].status == "running"
    )
    assert state.steps["ingest"].task == task
    assert [child["id"] for child in pipelines.children(pipeline)] == [task]
    done = pipelines.command("stop", pipeline)
    assert done.returncode == 0, done.stderr
    pipelines.wait(pipeline)
    assert pipelines.task(pipeline)["status"] == "stopped"


def test_the_watcher_can_be_ended_without_ending_the_pipeline(
    pipelines: Pipelines, tiny_data: Iterable[str]
) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipelines.cli", "run", "pipeline=data", "seed=13"),
            *(*tiny_data, "--wait"),
        ],
        env=pipelines.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "the controller is in_progress" in line:
            break
    process.send_signal(2)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    pipeline = lines[0].split("is queued: ")[1].split()[0]
    assert f"follow it with: sightline watch {pipeline}" in rest
    assert f"stop it with: sightline stop {pipeline}" in rest
    state = pipelines.wait(pipeline)
    assert {step.status for step in state.steps.values()} == {"completed"}


def start_as_the_web_ui_does(pipelines: Pipelines, task: str, **arguments: str) -> str:
    queue = pipelines.api.call("queues.get_all", name="^services$")["queues"][0]["id"]
    given = options(pipelines.task(task)) | arguments
    answer = pipelines.api.call(
        "pipelines.start_pipeline",
        task=task,
        queue=queue,
        args=[{"name": name, "value": value} for name, value in given.items()],
        verify_watched_queue=True,
    )
    assert answer["queue_watched"]
    return str(answer["pipeline"])


def options(task: dict[str, Any]) -> dict[str, str]:
    return {name: item["value"] for name, item in task["hyperparams"]["Args"].items()}
