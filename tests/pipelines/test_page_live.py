"""The page of stages that ran on a real server: what they have kept is read back whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Pipelines

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

READ = """
import json, sys
from agent.stack import activate
activate()
from pipelines import recipe, report
from pipelines.page.records import read_records
from pipelines.page.sections import Page
from pipelines.state import PipelineState, StepState

tasks = json.loads(sys.argv[1])
steps = {name: StepState(name, "completed", task) for name, task in tasks.items()}
now = PipelineState("9" * 32, steps)
plan = recipe.check(recipe.read_recipe(None, ["pipeline=train-eval", "dataset=d"]))
figures = {}
for task in tasks.values():
    figures |= report.read_figures(task)
page = Page("a title", "9" * 32, "", "http://web", now, plan, figures, read_records(now))
print("PAGES", json.dumps([page.markdown(), page.html()]))
"""


def test_evaluation_benchmark_and_challenge_are_on_the_page(
    pipelines: Pipelines, fixed_detector: Callable[..., Path], fixed_dataset: Path
) -> None:
    package = fixed_detector("model")

    def stage(name: str, *options: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", f"components.{name}", "--name", f"page {name}", *options],
            env=pipelines.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = pipelines.api.call("tasks.get_all", name=f"^page {name}$")["tasks"][
            0
        ]
        return found

    given = [f"model={package}", f"dataset={fixed_dataset}"]
    evaluated = stage("evaluate", *given, 'splits=["test"]', "runtime=onnxruntime")
    fast = ["seconds=0.1", "rounds=1", "batches=", "threads=1", "bfloat16=never"]
    measured = stage("benchmark", *given, f"baseline={package}", *fast)
    results = {name: item["value"] for name, item in measured["hyperparams"]["Result"].items()}
    published = stage(
        *("publish", f"model={results['model']}", f"benchmark={measured['id']}", "name=paged")
    )
    tasks = {
        "evaluate": evaluated["id"],
        "benchmark": measured["id"],
        "publish": published["id"],
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(tasks)],
        env=pipelines.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "PAGES " in done.stdout, done.stderr + done.stdout
    text, page = json.loads(done.stdout.split("PAGES ")[1].split("\n")[0])
    for heading in ("Figures", "Forms", "Against the champion", "Models", "Artifacts", "Pictures"):
        assert f"## {heading}" in text, heading
        assert f"<h2>{heading}</h2>" in page, heading
    assert "there is no other champion of this name" in text
    assert "model.onnx, onnxruntime (baseline) | 1.0000 |" in text
    assert text.count("![") >= 2  # debug samples of the evaluation
    assert "note: the report goes without" not in done.stdout
    assert page.count("data:image/jpeg;base64,") == 3
    assert page.count("<svg") == 2
    assert "[evaluation](http" in text
