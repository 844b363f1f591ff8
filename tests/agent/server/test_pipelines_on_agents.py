"""Pipelines of functions and of decorated functions, their steps on real agents."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

FUNCTIONS = """
from clearml import PipelineController

def load(count):
    return list(range(count))

def total(numbers, factor):
    return sum(numbers) * int(factor)

pipe = PipelineController("functions", "agents", version="1.0.0", pool_frequency=0.01)
pipe.add_parameter("factor", 2)
pipe.set_default_execution_queue("function steps")
pipe.add_function_step("load", load, function_kwargs={"count": 4}, function_return=["numbers"])
pipe.add_function_step(
    "total", total, function_kwargs={"numbers": "${load.numbers}", "factor": "${pipeline.factor}"},
    function_return=["total"])
pipe.start("function controllers")
"""

DECORATED = """
from clearml.automation.controller import PipelineDecorator

@PipelineDecorator.component(return_values=["numbers"], execution_queue="function steps")
def load(count):
    return list(range(count))

@PipelineDecorator.component(return_values=["total"], execution_queue="function steps")
def total(numbers):
    return sum(numbers)

@PipelineDecorator.pipeline(name="decorated", project="agents", version="1.0.0",
                            pipeline_execution_queue="function controllers")
def run(count=4):
    print("the total is", total(load(count)))

if __name__ == "__main__":
    run(count=5)
"""


@pytest.mark.parametrize(
    ("code", "name", "result"), [(FUNCTIONS, "functions", 12), (DECORATED, "decorated", 10)],
    ids=["functions", "decorated"],
)  # fmt: skip
def test_a_pipeline_of_functions(
    server: Any, home: Any, start_agent: Any, wait_for: Any, code: str, name: str, result: int
) -> None:
    steps = start_agent("function steps")
    controllers = start_agent("function controllers", "--services-mode")
    wait_for(lambda: len(server.call("queues.get_all", name="^function ")["queues"]) == 2)
    home.run(code)
    where = {"type": ["controller"], "name": f"^{name}", "search_hidden": True}

    def ended() -> Any:
        found = server.call("tasks.get_all", **where, order_by=["-created"])["tasks"]
        waiting = ("created", "queued", "in_progress")
        return found and found[0]["status"] not in waiting and found[0]

    pipeline = wait_for(ended, seconds=560)
    log = controllers.log.read_text()[-5000:] + steps.log.read_text()[-5000:]
    assert pipeline["status"] == "completed", log
    made = server.call("tasks.get_all", parent=pipeline["id"])["tasks"]
    assert {task["name"]: task["status"] for task in made} == {
        "load": "completed", "total": "completed",
    }  # fmt: skip
    total = next(task for task in made if task["name"] == "total")
    assert total["hyperparams"]["return"]["total"]["value"] == str(result)
