"""Triggers as service tasks of a real agent, killed and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Pipelines

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
QUEUE = "waiting-room"
"""Nobody serves it: the runs that triggers start wait there."""


@pytest.fixture(scope="module")
def shop(pipelines: Pipelines) -> Iterator[Shop]:
    with suppress(ValueError):  # it is there
        pipelines.api.call("queues.create", name=QUEUE)
    made = Shop(pipelines)
    yield made
    for one in made.triggers:
        with suppress(ValueError):  # it is over
            pipelines.api.call("tasks.stop", task=one)


class Shop:
    """Datasets, models and triggers of one stack."""

    def __init__(self, pipelines: Pipelines) -> None:
        self.pipelines = pipelines
        self.api = pipelines.api
        self.triggers: list[str] = []

    def project(self, name: str) -> str:
        found = self.api.call("projects.get_all", name=f"^{name}$", search_hidden=True)["projects"]
        if found:
            return str(found[0]["id"])
        return str(self.api.call("projects.create", name=name, description="")["id"])

    def version(self, name: str, number: int, status: str = "completed") -> str:
        """Make a dataset version, as far as a trigger looks at one."""
        made: str = self.api.call(
            "tasks.create",
            name=name,
            type="data_processing",
            system_tags=["dataset"],
            project=self.project(f"Sightline/.datasets/{name}"),
        )["id"]
        self.api.call("tasks.edit", task=made, runtime={"version": f"{number}.0.0"}, force=True)
        self.api.call("tasks.started", task=made)
        if status != "in_progress":
            self.api.call("tasks.completed", task=made)
        if status == "published":
            self.api.call("tasks.publish", task=made)
        return made

    def trigger(self, *words: str) -> str:
        done = self.pipelines.command("trigger", *words, f"queue.services={QUEUE}")
        assert done.returncode == 0, done.stderr
        self.triggers.append(done.stdout.split("is queued: ")[1].split()[0])
        return self.triggers[-1]

    def runs(self, name: str, parameter: str) -> list[str]:
        """What the runs of a pipeline were started for, those only that are on their queue."""
        return [
            task["hyperparams"]["Args"][parameter]["value"]
            for task in self.all_runs(name)
            if task["status"] == "queued"
        ]

    def all_runs(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.call(
            "tasks.get_all",
            tags=["triggered"],
            name=f"^{name}$",
            order_by=["created"],
            search_hidden=True,
        )["tasks"]
        return found

    def kill(self, task: str) -> None:
        """Kill a trigger's process, as a machine that loses its power would."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                own = "pipelines.triggers.service" in words
                if own and process.environ().get("CLEARML_TASK_ID") == task:
                    process.kill()
                    return
        raise AssertionError("no such process")


def until(true: Callable[[], object], why: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.2)


def wait_for_log(shop: Shop, task: str, line: str) -> None:
    until(lambda: line in shop.pipelines.log(task), lambda: shop.pipelines.log(task))


def ended(shop: Shop, task: str) -> dict[str, Any]:
    def over() -> bool:
        return shop.pipelines.task(task)["status"] not in ("queued", "in_progress")

    until(over, lambda: shop.pipelines.log(task))
    return shop.pipelines.task(task)


def test_each_new_version_starts_one_run_though_the_service_is_killed(shop: Shop) -> None:
    shop.version("flowers", 1)
    late = shop.version("flowers", 2, "in_progress")
    words = ("dataset", "flowers", "pipeline=train-eval", "name=again", "epochs=3", "--poll", "0.5")
    trigger = shop.trigger(*words)
    wait_for_log(shop, trigger, "waits for each new version of Sightline/flowers")
    second = shop.pipelines.command("trigger", *words, f"queue.services={QUEUE}")
    assert f"is there already (in_progress): {trigger}" in second.stdout

    expected = [shop.version("flowers", 3)]
    until(lambda: shop.runs("again", "dataset"), lambda: shop.pipelines.log(trigger))
    # Whatever changes of a version later is no news; what was begun earlier is.
    shop.api.call("tasks.edit", task=expected[0], tags=["good"], force=True)
    shop.api.call("tasks.completed", task=late)
    expected.append(late)
    until(lambda: len(shop.runs("again", "dataset")) == 2, lambda: shop.pipelines.log(trigger))

    shop.kill(trigger)
    assert ended(shop, trigger)["status"] == "failed"
    expected += [shop.version("flowers", 4), shop.version("flowers", 5, "published")]
    done = shop.pipelines.command("trigger", "start", trigger[:8])
    assert done.returncode == 0, done.stderr
    until(lambda: len(shop.runs("again", "dataset")) == 4, lambda: shop.pipelines.log(trigger))
    # Killed the moment that it has seen an event, and started again.
    expected.append(shop.version("flowers", 6))
    until(lambda: len(shop.runs("again", "dataset")) == 5, lambda: shop.pipelines.log(trigger))
    shop.kill(trigger)
    ended(shop, trigger)
    assert shop.pipelines.command("trigger", "start", trigger).returncode == 0
    expected.append(shop.version("flowers", 7))
    until(
        lambda: expected[-1] in shop.runs("again", "dataset"), lambda: shop.runs("again", "dataset")
    )
    assert sorted(shop.runs("again", "dataset")) == sorted(expected)
    assert len(shop.all_runs("again")) == len(expected)

    listed = shop.pipelines.command("trigger", "list").stdout
    assert f"{trigger}  in_progress  each new version of Sightline/flowers starts again" in listed
    assert f"the last: {expected[-1]}, again" in listed
    assert shop.pipelines.command("trigger", "stop", trigger).returncode == 0
    task = ended(shop, trigger)
    assert (task["status"], task["type"]) == ("stopped", "service")
    done = shop.pipelines.command("trigger", "stop", trigger)
    assert "doesn't run: it is stopped" in done.stderr


def test_a_model_that_gets_the_tag_starts_one_run(shop: Shop) -> None:
    project = shop.project("Sightline")

    def model(name: str, *tags: str) -> str:
        made = shop.api.call(
            "models.create", name=name, uri="http://x/y", project=project, tags=list(tags)
        )
        return str(made["id"])

    model("finder", "champion")
    other, chosen = model("keeper"), model("finder")
    trigger = shop.trigger(
        *("model", "finder", "--tag", "champion", "pipeline=detect-read", "name=chain"),
        *("--into", "detector", "reader=someone", "--poll", "0.5"),
    )
    wait_for_log(shop, trigger, "waits for tag 'champion' on Sightline/finder")
    shop.api.call("models.edit", model=other, tags=["champion"])
    shop.api.call("models.edit", model=chosen, tags=["champion", "x"])
    until(lambda: shop.runs("chain", "detector"), lambda: shop.pipelines.log(trigger))
    shop.api.call("models.edit", model=chosen, tags=["x"])
    shop.api.call("models.edit", model=chosen, tags=["champion"])
    another = model("finder", "champion")
    until(lambda: len(shop.runs("chain", "detector")) == 2, lambda: shop.pipelines.log(trigger))
    assert shop.runs("chain", "detector") == [chosen, another]
    assert len(shop.all_runs("chain")) == 2
    assert shop.runs("chain", "reader") == ["someone", "someone"]


def test_an_impossible_trigger_says_why_in_its_status_message(shop: Shop) -> None:
    # As somebody may edit a clone in the web UI.
    trigger = shop.trigger("schedule", "--every", "2h", "pipeline=data", "name=never")
    clone = shop.api.call("tasks.clone", task=trigger)["id"]
    item = {"section": "Args", "name": "every", "value": "often"}
    shop.api.call("tasks.edit_hyper_params", task=clone, hyperparams=[item])
    shop.api.call("tasks.enqueue", task=clone, queue_name="services")
    task = ended(shop, clone)
    assert task["status"] == "failed"
    assert task["status_message"].startswith("every: expected minutes, hours or days")


@pytest.mark.slow
def test_a_schedule_starts_a_run_each_time_and_catches_up(shop: Shop) -> None:
    trigger = shop.trigger("schedule", "--every", "1m", "pipeline=data", "name=ticks", "seed=5")
    until(lambda: shop.runs("ticks", "seed"), lambda: shop.pipelines.log(trigger))
    shop.kill(trigger)
    ended(shop, trigger)
    assert shop.pipelines.command("trigger", "start", trigger).returncode == 0
    wait_for_log(shop, trigger, "Waiting for next run")
    # The time before the kill isn't counted twice.
    assert shop.runs("ticks", "seed") == ["5"]
    until(lambda: len(shop.runs("ticks", "seed")) == 2, lambda: shop.pipelines.log(trigger))
