"""The unmodified agent, and pipelines on it, against a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.stack

SCRIPT = """
from clearml import Task
task = Task.init(auto_connect_frameworks=False, auto_resource_monitoring=False)
rate = float(task.get_parameters()["Args/rate"])
task.get_logger().report_scalar("result", "rate", rate, 0)
task.get_logger().report_single_value("rate", rate)
print("rate is", rate)
"""

PIPELINE = """
import sys
from clearml import PipelineController
pipe = PipelineController("pipe", "flows", version="1.0.0", pool_frequency=0.01)
pipe.add_parameter("rate", "0.25")
pipe.set_default_execution_queue("steps")
base = sys.argv[1] if len(sys.argv) > 1 else pipe.task.get_parameter("General/base")
pipe.task.set_parameter("General/base", base)
override = {"Args/rate": "${pipeline.rate}"}
pipe.add_step("one", base_task_id=base, parameter_override=override, cache_executed_step=True)
pipe.add_step("two", base_task_id=base, parents=["one"], parameter_override={
    "Args/rate": "-${one.parameters.Args/rate}"}, cache_executed_step=True)
pipe.start("services")
"""


def draft(server: Any, name: str, code: str, **more: Any) -> str:
    """A task that an agent can run with nothing to fetch: its code is its diff."""
    script = {"entry_point": "step.py", "working_dir": ".", "diff": code, "binary": "python"}
    arguments = {"rate": {"section": "Args", "name": "rate", "value": "0.5", "type": "float"}}
    return server.task(
        name, script=script, hyperparams={"Args": arguments}, type="training", **more
    )


def status(server: Any, task: str) -> str:
    return server.call("tasks.get_all", id=[task], only_fields=["status"])["tasks"][0]["status"]


def watched(server: Any, queue: str) -> bool:
    workers = server.call("workers.get_all")["workers"]
    return any(queue in [item["id"] for item in worker["queues"]] for worker in workers)


def queue_of(server: Any, wait_for: Any, name: str) -> str:
    """The id of a queue, once an agent listens to it."""
    found = wait_for(lambda: server.call("queues.get_all", name=f"^{name}$")["queues"])[0]["id"]
    wait_for(lambda: watched(server, found))
    return found


def test_agents_run_tasks_and_pipelines(
    server: Any, home: Any, start_agent: Any, wait_for: Any
) -> None:
    agent = start_agent("steps")
    queue = queue_of(server, wait_for, "steps")

    def value(task: str) -> float:
        """The value that a task reported, once it has ended well."""
        wait_for(lambda: status(server, task) not in ("created", "queued", "in_progress"))
        assert status(server, task) == "completed", agent.log.read_text()[-5000:]
        found = server.call("events.get_task_single_value_metrics", tasks=[task])["tasks"][0]
        return found["values"][0]["value"]

    # A task.
    task = draft(server, "step", SCRIPT)
    answer = server.call("tasks.enqueue", task=task, queue=queue, verify_watched_queue=True)
    assert answer["queue_watched"] is True
    assert value(task) == 0.5
    done = server.call("tasks.get_by_id", task=task)["task"]
    assert done["last_worker"]
    assert done["runtime"]["_exec_agent_hostname"]
    log = server.call("events.get_task_log", task=task)["events"]
    assert any("rate is 0.5" in line["msg"] for line in log)

    # A pipeline of two such tasks, its controller on the services queue, taken off again.
    server.call("queues.create", name="services")
    home.run(PIPELINE, draft(server, "template", SCRIPT))
    controller = server.call("tasks.get_all", type=["controller"], system_tags=["pipeline"])
    pipeline = controller["tasks"][-1]["id"]
    server.call("tasks.dequeue", task=pipeline)

    # NEW RUN, as the web application does it; a second time all steps come from the cache.
    services = start_agent("services", "--services-mode")
    waiting = queue_of(server, wait_for, "services")
    for made in ({"one": 0.75, "two": -0.75}, {}):
        started = server.call(
            "pipelines.start_pipeline",
            task=pipeline,
            queue=waiting,
            args=[{"name": "rate", "value": "0.75"}],
            verify_watched_queue=True,
        )
        assert (started["enqueued"], started["queue_watched"]) == (True, True)
        run = started["pipeline"]
        wait_for(lambda: status(server, run) not in ("created", "queued", "in_progress"))  # noqa: B023
        assert status(server, run) == "completed", services.log.read_text()[-5000:]
        steps = server.call("tasks.get_all", parent=run, search_hidden=True)["tasks"]
        assert {step["name"]: value(step["id"]) for step in steps} == made
        graph = server.call("tasks.get_configurations", tasks=[run], names=["Pipeline"])
        nodes = json.loads(graph["configurations"][0]["configuration"][0]["value"])
        assert {name: node["status"] for name, node in nodes.items()} == dict.fromkeys(
            ("one", "two"), "completed" if made else "cached"
        )

    # A request to stop a running task is obeyed.
    sleeper = draft(server, "sleeper", "import time\nprint('zzz', flush=True)\ntime.sleep(300)\n")
    server.call("tasks.enqueue", task=sleeper, queue=queue)
    wait_for(lambda: status(server, sleeper) == "in_progress")
    server.call("tasks.stop", task=sleeper)
    assert status(server, sleeper) == "in_progress"
    wait_for(lambda: status(server, sleeper) == "stopped")
