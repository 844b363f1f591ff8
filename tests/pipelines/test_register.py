"""Registered drafts, started by the calls that the web UI makes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.registry import STAGES
from pipelines.graph import GRAPHS

if TYPE_CHECKING:
    from conftest import Pipelines

pytestmark = [pytest.mark.stack]
ROOT = Path(__file__).parents[2]
SLOW = pytest.mark.slow
FAMILIES = ("detection", "ocr", "classification")
QUEUES = {"ingest": "cpu", "prepare": "cpu", "baseline": "cpu", "publish": "cpu"}


def register(pipelines: Pipelines, *arguments: str) -> dict[str, tuple[str, str]]:
    """Register; returns id and what was done by `kind name`."""
    done = pipelines.command("register", *arguments)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.strip().split("\n")]
    return {" ".join(row[:-2]): (row[-1], row[-2]) for row in rows}


@pytest.fixture(scope="module")
def drafts(pipelines: Pipelines) -> dict[str, tuple[str, str]]:
    return register(pipelines)


def new_run(pipelines: Pipelines, draft: str, **changed: str) -> str:
    """NEW RUN: the form sends every parameter that it shows."""
    shown = pipelines.task(draft)["hyperparams"]["Args"]
    values = {name: item["value"] for name, item in shown.items()} | changed
    queue = pipelines.api.call("queues.get_all", name="^services$")["queues"][0]["id"]
    answer = pipelines.api.call(
        "pipelines.start_pipeline",
        task=draft,
        queue=queue,
        args=[{"name": name, "value": value} for name, value in values.items()],
        verify_watched_queue=True,
    )
    assert answer["enqueued"] and answer["queue_watched"]
    return str(answer["pipeline"])


def clone(pipelines: Pipelines, draft: str, queue: str, **changed: str) -> str:
    """Clone, edit, enqueue."""
    made: str = pipelines.api.call("tasks.clone", task=draft, new_task_name="a clone")["id"]
    section = pipelines.task(made)["hyperparams"]["Args"]
    items = [item | {"value": changed.get(name, item["value"])} for name, item in section.items()]
    pipelines.api.call(
        "tasks.edit_hyper_params", task=made, hyperparams=items, replace_hyperparams="section"
    )
    answer = pipelines.api.call(
        "tasks.enqueue_many",
        ids=[made],
        queue_name=queue,
        validate_tasks=True,
        verify_watched_queue=True,
    )
    assert answer["succeeded"] and not answer["failed"]
    return made


def ended(pipelines: Pipelines, task: str) -> dict[str, Any]:
    deadline = time.monotonic() + 200
    while (found := pipelines.task(task))["status"] in ("queued", "in_progress"):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    return found


def impossible(task: dict[str, Any]) -> str:
    """An option that can't be just any text."""
    items = task["hyperparams"]["Args"].values()
    return str(next(item["name"] for item in items if item["type"] != "str"))


def test_every_pipeline_and_stage_is_there(drafts: dict[str, tuple[str, str]]) -> None:
    assert {name.split()[1] for name in drafts if name.startswith("pipeline")} == set(GRAPHS)
    assert {name.split()[1] for name in drafts if name.startswith("stage")} == set(STAGES)
    assert {"stage train (ocr)", "stage baseline (classification)", "stage read"} <= set(drafts)
    assert "stage baseline (ocr)" not in drafts


def test_registering_again_updates_what_is_there(
    pipelines: Pipelines, drafts: dict[str, tuple[str, str]]
) -> None:
    changed, _ = drafts["stage train (detection)"]
    item = {"section": "Args", "name": "epochs", "value": "99"}
    pipelines.api.call("tasks.edit_hyper_params", task=changed, hyperparams=[item])
    copy = pipelines.api.call("tasks.clone", task=changed)["id"]
    again = register(pipelines)
    assert {name: task for name, (task, _) in again.items()} == {
        name: task for name, (task, _) in drafts.items()
    }
    assert {put for _, put in again.values()} == {"updated"}
    assert pipelines.task(changed)["hyperparams"]["Args"]["epochs"]["value"] != "99"
    # A clone belongs to whoever made it.
    assert pipelines.task(copy)["hyperparams"]["Args"]["epochs"]["value"] == "99"
    pipelines.api.call("tasks.delete", task=copy)


def test_a_draft_that_was_started_itself_is_a_run_and_gets_a_successor(
    pipelines: Pipelines, tmp_path: Path
) -> None:
    recipe = tmp_path / "once.yaml"
    recipe.write_text("pipeline: data\n")
    (first, _), *_ = register(pipelines, str(recipe)).values()
    pipelines.api.call("queues.create", name="nobody")
    pipelines.api.call("tasks.enqueue", task=first, queue_name="nobody")
    (second, put), *_ = register(pipelines, str(recipe)).values()
    assert (second != first, put) == (True, "made")
    pipelines.api.call("tasks.dequeue", task=first)


def test_drafts_explain_their_options_and_hold_the_code(
    pipelines: Pipelines, drafts: dict[str, tuple[str, str]]
) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    for name, (task, _) in drafts.items():
        found = pipelines.task(task)
        assert found["status"] == "created"
        assert found["script"]["version_num"] == head
        items = found["hyperparams"]["Args"].values()
        assert all(item["type"] and item["description"].startswith("<") for item in items), name
    epochs = pipelines.task(drafts["pipeline detection"][0])["hyperparams"]["Args"]["epochs"]
    assert (epochs["type"], epochs["value"].isdigit()) == ("int", True)
    assert "whole number" in epochs["description"]


FEW = (("pipeline", "data"), ("pipeline", "ocr"), ("stage", "train"), ("stage", "ingest"))
ALL = (*(("pipeline", name) for name in GRAPHS), *(("stage", name) for name in STAGES))


@pytest.mark.parametrize(
    "wanted", [FEW, pytest.param(tuple(one for one in ALL if one not in FEW), marks=SLOW)]
)
def test_an_impossible_value_is_refused_with_the_reason_in_the_status_message(
    pipelines: Pipelines,
    drafts: dict[str, tuple[str, str]],
    wanted: tuple[tuple[str, str], ...],
) -> None:
    runs = {}
    for number, (kind, name) in enumerate(wanted):
        if kind == "pipeline":
            runs[new_run(pipelines, drafts[f"pipeline {name}"][0], retries="often")] = "retries"
            continue
        turned = (FAMILIES[(number + k) % 3] for k in range(3))
        one = next((o for o in (f"stage {name} ({f})" for f in turned) if o in drafts), "")
        draft, _ = drafts[one or f"stage {name}"]
        option = impossible(pipelines.task(draft))
        runs[clone(pipelines, draft, QUEUES.get(name, "gpu"), **{option: "often"})] = option
    for run, option in runs.items():
        task = ended(pipelines, run)
        assert task["status"] == "failed", task["name"]
        lines = task["status_message"].split("\n")
        assert any(x.startswith(f"{option}: expected ") and "got 'often'" in x for x in lines), (
            lines
        )
        assert "registered" not in task["tags"]
        # The agent sends the last lines of a process a little later than the status is there.
        deadline = time.monotonic() + 60
        while f"{option}: expected " not in pipelines.log(run):
            assert time.monotonic() < deadline, pipelines.log(run)
            time.sleep(0.2)


def test_what_is_needed_and_empty_is_named(
    pipelines: Pipelines, drafts: dict[str, tuple[str, str]]
) -> None:
    pipeline = new_run(pipelines, drafts["pipeline detect-read"][0])
    stage = clone(pipelines, drafts["stage tune (ocr)"][0], "gpu")
    assert "detector is needed: Model package" in ended(pipelines, pipeline)["status_message"]
    assert ended(pipelines, stage)["status_message"].startswith("model is needed")


def test_a_registered_recipe_and_a_registered_stage_run(
    pipelines: Pipelines,
    drafts: dict[str, tuple[str, str]],
    tiny_data: Iterable[str],
    tmp_path: Path,
) -> None:
    recipe = tmp_path / "few.yaml"
    lines = [f"{name}: {value}" for name, _, value in (one.partition("=") for one in tiny_data)]
    recipe.write_text("\n".join(["pipeline: data", "dataset: few", *lines]))
    draft, _ = register(pipelines, str(recipe))["pipeline few"]
    state = pipelines.wait(new_run(pipelines, draft, seed="21"))
    assert {step.status for step in state.steps.values()} == {"completed"}
    raw = pipelines.task(state.steps["ingest"].task)
    assert raw["hyperparams"]["Args"]["synthetic.seed"]["value"] == "21"
    prepared = clone(
        pipelines,
        drafts["stage prepare (detection)"][0],
        "cpu",
        dataset=raw["hyperparams"]["Result"]["dataset"]["value"],
        name="few-too",
        previews="0",
    )
    task = ended(pipelines, prepared)
    assert task["status"] == "completed", task["status_message"]
    # It lies in the project Sightline/Stages, and its dataset where all others are.
    home = pipelines.api.call("projects.get_by_id", project=task["project"])["project"]["name"]
    assert home == "Sightline/Stages"
    made = pipelines.task(task["hyperparams"]["Result"]["dataset"]["value"])
    where = pipelines.api.call("projects.get_by_id", project=made["project"])["project"]["name"]
    assert where == "Sightline/.datasets/few-too"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_registered_pipeline_runs_whole_and_ends_with_its_report(
    pipelines: Pipelines, tiny_data: Iterable[str], tiny_training: Iterable[str], tmp_path: Path
) -> None:
    recipe = tmp_path / "whole.yaml"
    given = [one.partition("=") for one in (*tiny_data, *tiny_training)]
    lines = [f"{name}: {value}" for name, _, value in given]
    recipe.write_text("\n".join(["pipeline: detection", "dataset: whole", "epochs: 1", *lines]))
    draft, _ = register(pipelines, str(recipe))["pipeline whole"]
    first = new_run(pipelines, draft, gate="0")
    state = pipelines.wait(first, seconds=1500)
    assert {step.status for step in state.steps.values()} == {"completed"}, state.reason
    published = pipelines.task(state.steps["publish"].task)["hyperparams"]["Result"]
    assert published["promoted"]["value"] == "true"

    second = new_run(pipelines, draft, gate="0", seed="3")
    state = pipelines.wait(second, seconds=1500)
    assert {step.status for step in state.steps.values()} == {"completed"}, state.reason
    artifacts = {one["key"]: one["uri"] for one in pipelines.task(second)["execution"]["artifacts"]}
    assert "report" in artifacts
    (report,) = pipelines.api.call(
        "tasks.get_all", type=["report"], tags=[f"pipeline:{second}"], search_hidden=True
    )["tasks"]
    headings = ("What ran", "Data", "Figures", "Forms", "Against the champion", "Parameters",
                "Models", "Artifacts", "Pictures")  # fmt: skip
    for heading in headings:
        assert f"## {heading}" in report["report"], heading
    assert "(baseline)" in report["report"]
    assert published["model"]["value"] in report["report"]  # the champion
