"""Stages as real ClearML tasks on the real embedded server, through the unmodified SDK."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).with_name("toy_stage.py")

pytestmark = pytest.mark.stack

Ended = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Desk:
    """Runs toys against the stack and looks at their tasks."""

    stack: Any

    def toy(self, *options: str, task: str | None = None) -> Ended:
        more = {"PYTHONPATH": str(ROOT)}
        if task:  # what an agent sets
            more |= {"CLEARML_TASK_ID": task, "CLEARML_LOG_TASK_TO_BACKEND": "0"}
        command = [sys.executable, str(TOY), *options]
        environment = self.stack.environment(**more)
        return subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
        )

    def call(self, action: str, **data: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.stack.api().call(action, **data)
        return found

    def task(self, name: str) -> dict[str, Any]:
        found = self.call("tasks.get_all", name=f"^{name}$", order_by=["-created"])["tasks"]
        assert found, name
        task: dict[str, Any] = found[0]
        return task

    def by_id(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("tasks.get_by_id", task=task)["task"]
        return found

    def versions(self, project: str) -> list[dict[str, Any]]:
        found = self.call(
            "tasks.get_all", system_tags=["dataset"], search_hidden=True, name="^toy$"
        )["tasks"]
        projects = self.call("projects.get_all", search_hidden=True, name=f"^{project}/")
        inside = {one["id"] for one in projects["projects"]}
        return [task for task in found if task["project"] in inside]


@pytest.fixture
def desk(stack: Any) -> Desk:
    return Desk(stack)


def results(task: dict[str, Any]) -> dict[str, str]:
    return {name: item["value"] for name, item in task["hyperparams"]["Result"].items()}


def test_a_run_from_a_shell_is_recorded_whole_and_can_be_cloned(desk: Desk) -> None:
    done = desk.toy("--name", "whole", "table.rate=0.125", "project=Whole")
    assert done.returncode == 0, done.stderr
    task = desk.task("whole")
    assert task["status"] == "completed"
    arguments = {n: i["value"] for n, i in task["hyperparams"]["Args"].items()}
    assert arguments == {
        **{"family": "detection", "mode": "", "steps": "3", "table.rate": "0.125"},
        **{"text": "text", "project": "Whole"},
    }
    assert task["hyperparams"]["Args"]["table.rate"]["type"] == "float"
    assert "A number." in task["hyperparams"]["Args"]["table.rate"]["description"]
    assert set(task["hyperparams"]["Code"]) == {"tree", "requirements"}
    script = task["script"]
    assert script["entry_point"] == "-m components.toy" and script["working_dir"] == "."
    assert script["repository"] == ROOT.as_uri() and len(script["version_num"]) == 40
    version = desk.versions("Whole")
    assert [one["status"] for one in version] == ["completed"]
    assert results(task) == {
        **{"dataset": version[0]["id"], "version": "1.0.0", "resumed": ""},
        **{"numbers": '{"a": 1.5}', "nothing": ""},
    }
    assert task["hyperparams"]["Datasets"]["dataset"]["value"] == version[0]["id"]
    artifact = next(a for a in task["execution"]["artifacts"] if a["key"] == "result")
    assert artifact["uri"].startswith(desk.stack.url)
    times = task["runtime"]
    assert 0 < float(times["sightline_finished"]) - float(times["sightline_started"]) < 100
    assert [e["key"] for e in task["execution"]["artifacts"]] == ["result"]
    single = desk.call("events.get_task_single_value_metrics", tasks=[task["id"]])
    assert '"figure"' in json.dumps(single)


@pytest.mark.parametrize(
    ("mode", "code", "status", "kind", "reason"),
    [
        ("mistake", 64, "failed", "user", "user: dataset 'x': there is none"),
        ("fault", 1, "failed", "machine", "machine: RuntimeError: the machine is broken"),
        pytest.param("ctrl-c", -2, "stopped", "", None, marks=pytest.mark.slow),
        ("stop", -2, "stopped", "", None),
    ],
)
def test_how_a_run_ended_can_be_told(
    desk: Desk, mode: str, code: int, status: str, kind: str, reason: str | None
) -> None:
    done = desk.toy("--name", f"ends by {mode}", f"mode={mode}", "project=Ends")
    assert done.returncode == code, done.stderr
    task = desk.task(f"ends by {mode}")
    assert (task["status"], task["runtime"]["sightline_failure"]) == (status, kind)
    if reason:
        assert task["status_reason"] == reason
    assert ("Traceback" in done.stderr) is (mode == "fault")
    # One that was asked to stop keeps what it has; one that was cut off has nothing to keep.
    assert ("Result" in task["hyperparams"]) is (mode == "stop")


def test_a_killed_run_goes_on_from_its_checkpoint_and_saves_everything_once(desk: Desk) -> None:
    first = desk.toy("--name", "killed", "mode=die with checkpoints", "project=Killed")
    assert first.returncode == 9
    task = desk.task("killed")["id"]
    assert desk.by_id(task)["status"] == "in_progress"
    # The second and third checkpoint came too soon after the first to be uploaded.
    assert checkpoint_numbers(desk, task) == {"checkpoint_b": "1"}
    second = desk.toy(task=task)
    assert "resumed: state 0\n" in second.stdout
    assert checkpoint_numbers(desk, task) == {"checkpoint_b": "1", "checkpoint_a": "2"}

    edit(desk, task, mode="die before the result")
    third = desk.toy(task=task)
    # What other options had learned is of no use.
    assert third.returncode == 9 and "resumed: \n" in third.stdout
    (version,) = desk.versions("Killed")
    assert desk.toy(task=task).returncode == 9
    assert [one["id"] for one in desk.versions("Killed")] == [version["id"]]
    # As if the kill had come a moment earlier.
    desk.call("tasks.reset", task=version["id"], force=True)
    assert desk.toy(task=task).returncode == 9
    (made,) = desk.versions("Killed")
    assert made["status"] == "completed" and made["id"] != version["id"]


def checkpoint_numbers(desk: Desk, task: str) -> dict[str, str]:
    found = desk.by_id(task)["execution"]["artifacts"]
    return {
        artifact["key"]: value
        for artifact in found
        for key, value in artifact.get("display_data") or []
        if key == "number"
    }


def edit(desk: Desk, task: str, **values: str) -> None:
    items = [{"section": "Args", "name": name, "value": v} for name, v in values.items()]
    desk.call("tasks.edit_hyper_params", task=task, force=True, hyperparams=items)


@pytest.mark.parametrize(
    ("change", "code", "status", "said"),
    [
        ("another attempt", 1, "in_progress", "taken over"),
        pytest.param("enqueued again", 1, "queued", "taken over", marks=pytest.mark.slow),
        ("aborted", -2, "stopped", "ended early on request"),
    ],
)
def test_a_run_notices_that_it_lost_its_task_or_was_aborted(
    desk: Desk, change: str, code: int, status: str, said: str
) -> None:
    project = f"Lost {change}"
    command = [sys.executable, str(TOY), "--name", change, "mode=linger", f"project={project}"]
    environment = desk.stack.environment(PYTHONPATH=str(ROOT))
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            task = wait_for_attempt(desk, change)
            if change == "another attempt":
                runtime = {**desk.by_id(task)["runtime"], "sightline_attempt": "another"}
                desk.call("tasks.edit", task=task, runtime=runtime, force=True)
            elif change == "enqueued again":
                desk.call("tasks.stopped", task=task, force=True)
                queue = desk.call("queues.create", name="nobody")["id"]
                desk.call("tasks.enqueue", task=task, queue=queue)
            else:
                desk.call("tasks.stop", task=task)
            _, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == code, errors
    assert said in errors
    assert desk.by_id(task)["status"] == status
    assert len(desk.versions(project)) == (change == "aborted")


def wait_for_attempt(desk: Desk, name: str) -> str:
    for _ in range(300):
        found = desk.call("tasks.get_all", name=f"^{name}$")["tasks"]
        # The SDK writes this when the stage first asks whether it should stop.
        if found and "_abort_callback_timeout" in found[0]["runtime"]:
            return str(found[0]["id"])
        time.sleep(0.1)
    raise AssertionError(f"{name} never started")


def test_on_an_agent_the_tasks_parameters_rule_and_wrong_ones_are_refused(desk: Desk) -> None:
    assert desk.toy("--name", "ruled", "project=Ruled").returncode == 0
    clone = desk.call("tasks.clone", task=desk.task("ruled")["id"], new_task_name="clone")["id"]
    edit(desk, clone, steps="5", **{"table.rate": "0.75"})
    desk.call("tasks.started", task=clone, force=True)
    done = desk.toy("steps=1", "nonsense", task=clone)
    assert done.returncode == 0, done.stderr
    values = scalars(desk, clone)
    assert values == [0.75 * step for step in range(5)]
    wrong = desk.call("tasks.clone", task=clone, new_task_name="wrong")["id"]
    edit(desk, wrong, **{"table.ratte": "1"})
    desk.call("tasks.started", task=wrong, force=True)
    done = desk.toy(task=wrong)
    assert done.returncode == 64
    assert "unknown option 'table.ratte', did you mean 'table.rate'" in done.stderr
    task = desk.by_id(wrong)
    assert task["runtime"]["sightline_failure"] == "user"
    assert "table.ratte" in task["status_reason"]
    assert "Result" not in task["hyperparams"]


def scalars(desk: Desk, task: str) -> list[float]:
    found = desk.call("events.scalar_metrics_iter_histogram", task=task)
    values: list[float] = found["curve"]["a"]["y"]
    return values


def test_no_server_is_one_line(desk: Desk, tmp_path: Path) -> None:
    environment = desk.stack.environment(
        PYTHONPATH=str(ROOT), HOME=str(tmp_path), SIGHTLINE_HOME=str(tmp_path / "none")
    )
    del environment["CLEARML_CONFIG_FILE"]
    done = subprocess.run(
        [sys.executable, str(TOY)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 64
    assert done.stderr.count("\n") == 1 and "sightline up" in done.stderr
