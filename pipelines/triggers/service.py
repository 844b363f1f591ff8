"""The process of a trigger: `python -m pipelines.triggers.service`, started by an agent.

All that it needs is on its task: the options under `Args/`, and under "Known" what it need not act
on any more. Put back on its queue after it was killed, it goes on where it was.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from components.code import refuse_foreign_imports
from components.failure import USER_FAILED, Failure, say
from components.launch import AGENT_TASK_VARIABLE
from components.options import Layer, configure
from components.run.api import call, find_project
from components.run.attempt import Attempt
from components.template import SECTION
from pipelines import tasks
from pipelines.console import log
from pipelines.ending import end_as_failed, end_as_stopped, is_mistake
from pipelines.triggers.launching import Event, launch_once
from pipelines.triggers.options import TriggerOptions

KNOWN = "Known"
"""Configuration object: the ids of what is no news, or when a schedule's entries were due last."""
_ABORT_SECONDS = 30.0


def main() -> None:
    """Wait for events until someone stops the task; ends the process."""
    if not os.environ.get(AGENT_TASK_VARIABLE):
        say("this is what agents start; to make a trigger: sightline trigger --help")
        sys.exit(USER_FAILED)
    from components.run.start import init_task

    task = init_task(task_type="service", auto_resource_monitoring=False)
    attempt = Attempt(task)
    task.register_abort_callback(lambda: end_as_stopped(task, "stopped"), _ABORT_SECONDS)
    try:
        refuse_foreign_imports()
        options = _options_of(task)
        Service(task, options).run()
    except Exception as error:
        if is_mistake(error):
            end_as_failed(task, attempt, Failure.USER, str(error), "the trigger")
        traceback.print_exception(error)
        reason = f"{type(error).__name__}: {error}"
        end_as_failed(task, attempt, Failure.MACHINE, reason, "the trigger")


def _options_of(task: Any) -> TriggerOptions:
    prefix = f"{SECTION}/"
    given = task.get_parameters(backwards_compatibility=False)
    values = {n.removeprefix(prefix): v for n, v in given.items() if n.startswith(prefix)}
    return configure(TriggerOptions, [Layer("", values)])


class Service:
    """A trigger at work."""

    def __init__(self, task: Any, options: TriggerOptions) -> None:
        """Check what the trigger needs.

        Args:
            task: this process's main task.
            options: what it waits for.

        Raises:
            ValueError: the pipeline or what is watched isn't there.
        """
        self._task = task
        self._options = options
        base = tasks.read_task(options.pipeline, ["name", "project"])
        if base is None:
            raise ValueError(f"pipeline: there is no task {options.pipeline}")
        self._name = str(base["name"]).partition(" #")[0]
        home = call("projects.get_by_id", project=base["project"])["project"]["name"]
        self._home = str(home)
        # By the server's clock, which its answers go by.
        own = tasks.read_task(task.id, ["created"]) or {}
        self._since = datetime.fromtimestamp(tasks.moment(own.get("created")), UTC)

    def run(self) -> None:
        """Wait for events; doesn't return."""
        from pipelines.triggers import schedulers

        options = self._options
        log(f"waits for {options.said()}, to start the pipeline {self._name}")
        if options.on == "schedule":
            name = f"{self._name}: {options.said()}"
            done = self._kept({})
            schedulers.Clock(
                name, options.times(), self._launch, self._since, done, self._keep
            ).start()
            return
        home, _, name = options.watched.rpartition("/")
        kind: Any = schedulers.NewVersion if options.on == "dataset" else schedulers.NewTag
        where = f"{home}/.datasets/{name}" if options.on == "dataset" else home
        project = find_project(where)
        if project is None:
            raise ValueError(f"watched: there is no {options.on} {options.watched}")
        trigger = kind(
            name=options.said(),
            base_task_id=options.pipeline,
            queue=options.queue,
            project=project,
            match_name=f"^{re.escape(name)}$" if options.on == "model" else None,
            tags=[options.tag] if options.tag else None,
            last_update=self._since,
        )
        known = self._kept([])
        schedulers.Watcher(trigger, self._launch, options.poll, known, self._keep).start()

    def _kept(self, usual: Any) -> Any:
        text = self._task.get_configuration_object(KNOWN)
        return json.loads(text) if text else usual

    def _keep(self, content: Any) -> None:
        self._task.set_configuration_object(KNOWN, json.dumps(content), config_type="json")

    def _launch(self, key: str) -> str:
        """Start the pipeline for an event."""
        options = self._options
        event = Event(self._home, f"{options.on} {options.tag}".strip(), key)
        given = {options.into: key} if options.into else {}
        why = f"started by {options.said()}: {key}"
        try:
            run, now = launch_once(event, options.pipeline, given, options.queue, why)
        except Exception as error:
            if not tasks.is_outage(error):
                self._task.set_comment(f"{key}: {self._name} can't be started: {error}")
            raise
        log(f"{key}: {self._name} {'started' if now else 'was started already'}: {run}")
        self._task.set_comment(f"the last: {key}, {self._name} {run}")
        return run


if __name__ == "__main__":
    main()
