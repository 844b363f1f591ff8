"""How a stage comes to run: from cache, adopted from an earlier controller, or as a new task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components.code import CodeState
from components.registry import STAGES, stage
from components.run.api import find_or_create_project
from components.run.references import is_id
from components.template import SECTION, template
from pipelines import cache, recovery, state, tasks
from pipelines.console import log
from pipelines.graph import Result, Step
from pipelines.queues import read_queues
from pipelines.recipe import Plan
from pipelines.state import PipelineState, StepState

UNKNOWN_CONTENT = "unknown:"
"""Begins the fingerprint of a source whose content may be another one each time."""


class Starter:
    """Starts the stages of one pipeline."""

    def __init__(
        self,
        controller: str,
        plan: Plan,
        code: CodeState,
        now: PipelineState,
        store: Callable[[], None],
    ) -> None:
        """Prepare to start the stages of a plan.

        Args:
            controller: id of the controller's task.
            plan: what to run.
            code: the code that the stages shall run.
            now: the pipeline's state, which is changed in place.
            store: writes the state where a later process of the controller finds it.
        """
        recipe = plan.recipe
        self._controller = controller
        self._plan = plan
        self._state = now
        self._store = store
        self._project = find_or_create_project(recipe.project)
        self.templates = {
            name: template(stage(name), code, recipe.project, recipe.family)
            for name in recipe.graph.stages
        }
        self._bodies: dict[str, Mapping[str, Any]] = {}
        self._inherited = {name for name, step in now.steps.items() if step.task}
        """Stages with a task of an earlier process that wasn't looked at yet."""
        self._queue_ids: dict[str, str] = {}
        self.results: dict[str, dict[str, str]] = {}
        """Results of the stages whose results are whole, by stage."""

    def begin(self, step: Step) -> None:
        """Start a stage whose inputs are there. Can be called again if it fails."""
        own = self._state.steps[step.stage]
        body = self._body(step.stage)
        sections = self._hyperparameters(step, body)
        image = self._plan.run.image
        key = cache.cache_key(STAGES[step.stage], sections, image)
        if step.stage in self._inherited and self._adopt(own, key):
            log(f"{step.stage}: goes on as task {own.task} ({own.status})")
            return
        if not own.task:
            if found := self._cached(step.stage, key, sections):
                own.task, own.key, own.status = found["id"], key, state.CACHED
                self.results[step.stage] = cache.result_of(found)
                log(f"{step.stage}: from cache, task {own.task}")
                return
            for draft in tasks.drafts(self._controller, step.stage):
                tasks.delete(draft)
            own.task = tasks.make_step(
                body,
                name=step.stage,
                parent=self._controller,
                project=self._project,
                hyperparameters=sections,
                image=image,
                key=key,
            )
            own.key, own.started, own.ended = key, 0.0, 0.0
        # First noted, then queued: a controller that is killed in between starts no second one.
        self._store()
        tasks.enqueue(own.task, self.queue_id(own.queue))
        own.status = state.QUEUED
        log(f"{step.stage}: queued on '{own.queue}' as task {own.task}")

    def put_back(self, own: StepState, why: str) -> None:
        """Put a stage's task on its queue again."""
        self._store()
        tasks.put_back(own.task, self.queue_id(own.queue), why)
        own.status, own.worker, own.started, own.ended = state.QUEUED, "", 0.0, 0.0

    def read_result(self, own: StepState) -> None:
        """Read what a stage hands on, once."""
        if own.stage not in self.results:
            task = tasks.read_task(own.task, ["hyperparams"]) or {}
            self.results[own.stage] = cache.result_of(task)

    def queue_id(self, name: str) -> str:
        """Find a queue's id."""
        if name not in self._queue_ids:
            self._queue_ids = {queue.name: queue.id for queue in read_queues().values()}
        if name not in self._queue_ids:
            raise ValueError(f"the queue '{name}' is gone; make it again, or run with another one")
        return self._queue_ids[name]

    def _body(self, name: str) -> Mapping[str, Any]:
        if name not in self._bodies:
            fields = ["script", "hyperparams", "container"]
            found = tasks.read_task(self.templates[name], fields)
            if found is None:
                raise RuntimeError(f"the template of {name} was deleted; start the pipeline again")
            self._bodies[name] = found
        return self._bodies[name]

    def _hyperparameters(self, step: Step, body: Mapping[str, Any]) -> dict[str, Any]:
        values = dict(self._plan.options[step.stage])
        for option, reference in step.inputs.items():
            if not isinstance(reference, Result):
                values[option] = self._state.steps[reference.stage].task
                continue
            values[option] = self.results[reference.stage].get(reference.field, "")
            if not values[option]:
                raise RuntimeError(
                    f"{reference.stage} has left no '{reference.field}' for {step.stage}"
                )
        sections = {
            section: {name: dict(item) for name, item in items.items()}
            for section, items in body["hyperparams"].items()
        }
        for option, value in values.items():
            sections[SECTION][option]["value"] = value
        return sections

    def _cached(self, name: str, key: str, sections: Mapping[str, Any]) -> dict[str, Any] | None:
        options = {option: item["value"] for option, item in sections[SECTION].items()}
        if any(value.startswith(UNKNOWN_CONTENT) for value in options.values()):
            return None
        inputs = [options.get("dataset", ""), options.get("model", "")]
        if any(value and not is_id(value) for value in inputs):
            return None  # what lies at a path may have changed
        return cache.find_cached(key, STAGES[name])

    def _adopt(self, own: StepState, key: str) -> bool:
        """Look at a task that an earlier process of this controller has made.

        Returns:
            Whether the stage goes on with it. If not, its draft is in `own.task`, or nothing.
        """
        task = tasks.read_task(own.task, ["status", "runtime", "hyperparams", "container.image"])
        if task is None or own.key != key or (task.get("runtime") or {}).get(cache.KEY) != key:
            if task is not None and task["status"] in ("queued", "in_progress"):
                tasks.stop(own.task, "the pipeline runs with other parameters now")
            own.task = ""
        elif task["status"] in recovery.DONE:
            if cache.result_exists(task):
                self.results[own.stage] = cache.result_of(task)
                own.status = state.COMPLETED
            else:
                own.task = ""
        elif task["status"] in ("queued", "in_progress"):
            own.status = state.QUEUED if task["status"] == "queued" else state.RUNNING
        elif task["status"] != "created":
            self.put_back(own, "the pipeline goes on")
        self._inherited.discard(own.stage)
        return own.status != state.PENDING
