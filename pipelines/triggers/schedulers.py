"""ClearML's TriggerScheduler and TaskScheduler, made to lose nothing and to double nothing.

The stock ones forget an event whose launch fails, and one that came while they were down before
their first launch; killed between a launch and the note of it, they launch it again. Here a launch
is idempotent (`launching`), and an event counts as seen only when its run is queued.

Private parts of the SDK that are used here: `_step`, `_launch_job`, `_log`, `_serialize`,
`_deserialize` and the same of the state, `_dataset_triggers`, `_model_triggers` and
`_schedule_jobs`, `_executed_triggers`, `_executed_jobs` and `_update_execution_plots` of the
schedulers; `_triggered_instances` of a trigger; `_last_executed` and
`_schedule_counter` of a schedule's entry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clearml.automation import TaskScheduler, TriggerScheduler
from clearml.automation.scheduler import ExecutedJob, ScheduleJob
from clearml.automation.trigger import BaseTrigger, DatasetTrigger, ExecutedTrigger, ModelTrigger

from pipelines.console import log

Launch = Callable[[str], str]
"""Starts the run for an event's key; returns its id."""
_SYNC_MINUTES = 15.0


class NewVersion(DatasetTrigger):  # type: ignore[misc]  # the SDK ships no types
    """Finished dataset versions, also those that were published at once."""

    def build_query(self, ref_time: datetime, client: Any = None) -> dict[str, Any]:
        """Write the query for versions that have changed since `ref_time`."""
        query: dict[str, Any] = super().build_query(ref_time, client)
        return query | {"status": ["completed", "published"]}


class NewTag(ModelTrigger):  # type: ignore[misc]
    """Models with a tag."""

    def get_ref_time(self, obj: Any) -> datetime:
        """When a model has changed; the stock one asks for a field that models don't have."""
        changed: datetime = obj.last_update
        return changed


class Watcher(TriggerScheduler):  # type: ignore[misc]
    """Looks for events at intervals."""

    def __init__(
        self,
        trigger: BaseTrigger,
        launch: Launch,
        poll_s: float,
        known: Collection[str],
        remember: Callable[[Collection[str]], None],
    ) -> None:
        """Watch with one trigger.

        Args:
            trigger: what to ask the server for; its `last_update` says since when.
            launch: called once for each event, again after a failure.
            poll_s: seconds between two looks.
            known: ids of what is no news.
            remember: keeps the ids of what is no news any more, for the next process.
        """
        trigger._triggered_instances = dict.fromkeys(known, datetime.now(UTC))
        super().__init__(
            pooling_frequency_minutes=poll_s / 60.0, sync_frequency_minutes=_SYNC_MINUTES
        )
        (self._dataset_triggers if trigger.get_key() == "tasks" else self._model_triggers).append(
            trigger
        )
        self._launch = launch
        self._remember = remember
        self._failed = False
        # On an agent the stock one takes it from there.
        self._serialize()

    def _step(self) -> bool:
        since = [(one, one.last_update) for one in self.get_triggers()]
        self._failed = False
        executed = bool(super()._step())
        if self._failed:
            for trigger, before in since:
                trigger.last_update = before  # or the event would never be asked for again
        return executed

    def _launch_job(self, job: BaseTrigger, trigger_id: str) -> None:
        try:
            run = self._launch(trigger_id)
            job.run(run)
            self._executed_triggers.append(
                ExecutedTrigger(
                    name=job.name, task_id=run, started=datetime.now(UTC), trigger=job.name
                )
            )
        except Exception as error:
            self._failed = True
            job._triggered_instances.pop(trigger_id, None)
            log(f"{trigger_id}: not launched, is tried again: {error}")

    def _update_execution_plots(self) -> None:
        _draw(super()._update_execution_plots)

    def _serialize_state(self) -> None:
        """Note what was seen; the stock one's artifact may be listed and not be there."""
        self._remember([key for one in self.get_triggers() for key in one._triggered_instances])

    def _deserialize_state(self) -> None:
        """Nothing: it was given at the start."""

    def _log(self, message: str, level: int = 20) -> None:
        if not message.startswith("Sleeping until"):
            log(message)


class Clock(TaskScheduler):  # type: ignore[misc]
    """Launches at times."""

    def __init__(
        self,
        name: str,
        times: Sequence[Mapping[str, Any]],
        launch: Launch,
        since: datetime,
        done: Mapping[str, str],
        remember: Callable[[Mapping[str, str]], None],
    ) -> None:
        """Keep one schedule.

        Args:
            name: of the schedule.
            times: as `TaskScheduler.add_task` takes them.
            launch: called once for each time, again after a failure.
            since: the first time comes after it.
            done: what an earlier process has remembered.
            remember: keeps for the next process when each entry was launched last.
        """
        super().__init__(sync_frequency_minutes=_SYNC_MINUTES)
        for number, one in enumerate(times):
            self.add_task(schedule_function=launch, name=f"{name} {number}", **one)
            job = self._schedule_jobs[-1]
            job.starting_time = since
            if job.name in done:
                job._last_executed, job._schedule_counter = (
                    datetime.fromisoformat(done[job.name]),
                    1,
                )
        self._launch = launch
        self._remember = remember

    def _serialize(self) -> None:
        """Nothing: a function can't be written down, and is there again after a restart."""

    def _deserialize(self) -> None:
        """Nothing: see `_serialize`."""

    def _serialize_state(self) -> None:
        done = {job.name: job._last_executed for job in self._schedule_jobs if job._last_executed}
        self._remember({name: when.isoformat() for name, when in done.items()})

    def _deserialize_state(self) -> None:
        """Nothing: it was given at the start."""

    def _launch_job(self, job: ScheduleJob) -> None:
        due = job.next_run()
        key = due.astimezone(UTC).isoformat(timespec="seconds")
        # If this fails the time stays due, and the loop comes back to it in a moment.
        run = self._launch(key)
        job.run(run)
        self._executed_jobs.append(
            ExecutedJob(name=job.name, task_id=run, started=datetime.now(UTC))
        )

    def _update_execution_plots(self) -> None:
        _draw(super()._update_execution_plots)

    def _log(self, message: str, level: int = 20) -> None:
        log(message)


def _draw(plots: Callable[[], None]) -> None:
    """Show what was launched; the stock plots fail by a run that someone has deleted."""
    try:
        plots()
    except Exception as error:
        log(f"note: the tables of this trigger aren't up to date: {error}")
