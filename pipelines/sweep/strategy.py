"""The search strategy that ClearML's optimizer is given: ours, over Optuna.

ClearML's own one for Optuna holds its study in memory only, cuts step intervals to whole numbers,
knows no conditions and lets duplicates use up trials. This one reads from the server how every
trial is, so a process that takes the sweep over goes on with the trials that still run, and with
what the finished ones have found.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearml.automation.optimization import SearchStrategy

from components.code import is_this_machine
from components.run.api import find_or_create_project, server_url
from components.run.door import SupersededError
from pipelines import recovery, state, tasks
from pipelines.console import log
from pipelines.controller import heed, read_times
from pipelines.recovery import Decision, Do
from pipelines.state import PipelineState
from pipelines.sweep.jobs import Job, objective_metric
from pipelines.sweep.judging import Judge
from pipelines.sweep.plan import SweepPlan
from pipelines.sweep.slots import Slots
from pipelines.sweep.study import Outcome, Record, Study
from pipelines.sweep.trials import (
    Trial,
    make_trial,
    note_verdict,
    read_trials,
    trial_name,
)
from pipelines.watching import Lookout

_ENDED = (*recovery.DONE, "failed", "stopped")
_SHOWN = 200
"""Trials in the state that watchers read; of more, the newest."""
_STATUS = {"complete": state.COMPLETED, "pruned": state.PRUNED, "failed": state.FAILED}


class Strategy(SearchStrategy):  # type: ignore[misc]
    """Runs the trials of one sweep in the process of its task."""

    def __init__(
        self,
        *,
        plan: SweepPlan,
        base: Mapping[str, Any],
        attempt: str,
        earlier: PipelineState | None,
        controller: str,
        store: Callable[[PipelineState], None],
        **given: Any,
    ) -> None:
        """Take the sweep over, with all trials that it has on the server.

        Args:
            plan: what to sweep.
            base: `id`, `hyperparams` and `container` of what the trials are clones of.
            attempt: id of this process's attempt; another one's takes the sweep away from us.
            earlier: what an earlier process of this sweep has left.
            controller: id of the sweep's task.
            store: shows the state, and keeps it for later processes.
            given: what ClearML's optimizer passes on.
        """
        super().__init__(**given)
        self.plan = plan
        self.wake = threading.Event()
        """Set to have the loop look at once, as by a signal handler."""
        self.terminated = False
        """Set to have the loop end without touching the trials."""
        self.changed = threading.Event()
        """Set when a trial has ended."""
        self.lock = threading.RLock()
        """Held while trials and study change."""
        self.error: BaseException | None = None
        self.exhausted = False
        """Whether every combination was tried."""
        self.trials: dict[int, Trial] = {}
        self.seconds = earlier.seconds if earlier else 0.0
        self._began = time.monotonic()
        self._earlier = earlier
        self._main = controller
        self._attempt = attempt
        self._base = base
        self._store_state = store
        self._objective_metric = objective_metric(plan)
        directions = [one.direction for one in plan.objectives]
        self.study = Study(plan.space, plan.options, directions, plan.epochs)
        self._judge = Judge(plan, self.study)
        # A server that others share is asked less often.
        self.poll_s = 0.2 if is_this_machine(server_url()) else 2.0
        self.pool_period_minutes = self.poll_s / 60.0
        self._project = ""
        self._lookout = Lookout(plan.run)
        self._retry_at: dict[int, float] = {}
        self._slots = Slots(plan)

    def _validate_base_task(self) -> None:
        """Nothing: the plan was checked already, and the template of a stage has no results."""

    def start(self) -> None:
        """Run until the sweep has ended; what ends it early is in `error`."""
        try:
            self._through_outages(self._take_over)
            while self._through_outages(self.process_step):
                self.wake.wait(self.poll_s)
                self.wake.clear()
        except BaseException as error:  # the optimizer's thread would swallow it
            self.error = error
        finally:
            self.changed.set()

    def _through_outages(self, action: Callable[[], Any]) -> Any:
        outage: float | None = None
        while True:
            try:
                found = action()
                if outage is not None:
                    log(f"the server is back after {time.monotonic() - outage:.0f} s")
                    self._lookout.start_over()
                return found
            except Exception as error:
                if not tasks.is_outage(error):
                    raise
                if outage is None:
                    outage = time.monotonic()
                    log(f"the server doesn't answer, trying on ({type(error).__name__})")
            self.wake.wait(1.0)
            self.wake.clear()

    def _take_over(self) -> None:
        """Put the study together again from the trials on the server."""
        sweep = self.plan.sweep.recipe
        self._project = find_or_create_project(f"{sweep.project}/sweeps/{sweep.name}")
        found = read_trials(self._main)
        before = self._earlier.steps if self._earlier else {}
        trials: dict[int, Trial] = {}
        outcomes: dict[int, Outcome] = {}
        seen = tasks.look([one.task for one, _ in found.values()]) if found else {}
        for number, (one, status) in found.items():
            earlier = before.get(one.stage)
            if earlier is not None and earlier.task == one.task:
                one.retried, one.put_back = earlier.retried, earlier.put_back
                one.queue = earlier.queue
            one.queue = one.queue if one.queue in self.plan.queues else self.plan.queues[0]
            one.goes_on = earlier is not None and earlier.status == state.ABORTED
            ended = status in _ENDED and one.task in seen
            if ended and (one.verdict or status in recovery.DONE):
                read_times(one, seen[one.task])
                outcomes[number] = self._judge.conclude(one, seen[one.task])
                one.status = _STATUS[outcomes[number].end]
            elif status == "stopped":
                # It was stopped with the whole sweep, which goes on now.
                one.status, one.goes_on = state.PENDING, True
            else:
                one.status = state.PENDING if status == "created" else state.QUEUED
                if one.verdict:
                    tasks.stop(one.task, one.verdict)  # an earlier process may not have come to it
            trials[number] = one
        records = [
            Record(number, one.drawn, one.told, outcomes.get(number))
            for number, one in trials.items()
        ]
        with self.lock:
            self.trials = trials
            self.study.restore(records)
        if trials:
            running = sum(one.status in (*state.ACTIVE, state.PENDING) for one in trials.values())
            log(f"goes on with {len(trials)} trials, {running} of them not at their end")
        self.changed.set()

    def process_step(self) -> bool:
        """Look at everything once; tells whether there is more to come."""
        active = [one for one in self.trials.values() if one.status in state.ACTIVE]
        seen = tasks.look([self._main, *(one.task for one in active)], ["last_iteration"])
        heed(seen.get(self._main), self._attempt)
        if self.terminated:
            raise SupersededError("this process was told to end")
        over = self._is_over()
        for one in active:
            self._look_at(one, seen.get(one.task), over)
        self._launch_waiting(over)
        while not over and self._has_room():
            if self.create_job() is None:
                break
        self.show()
        unfinished = any(
            one.status in (*state.ACTIVE, state.PENDING) for one in self.trials.values()
        )
        return unfinished or (not over and not self._is_enough())

    def create_job(self) -> Job | None:
        """Choose the next trial, make it and put it on a queue; None if there is none to make."""
        queue = self._slots.freest(self._busy())  # an outage now leaves nothing half done
        with self.lock:
            number = self.study.count
            drawn = self.study.ask()
            if drawn is None:
                if not self.exhausted:
                    log(f"every combination was tried: {number} trials")
                self.exhausted = True
                return None
            one = Trial(trial_name(number), number=number, drawn=drawn, told=self.study.take_told())
            one.queue = queue
            self.trials[number] = one
        self._launch(one)
        return self._jobs_of([one])[0]

    def _launch_waiting(self, over: bool) -> None:
        """Go on with what an outage or the end of an earlier process has cut short."""
        for one in list(self.trials.values()):
            if one.status == state.PENDING and over:
                one.reason = "the sweep's time is over"
                self._conclude(one, Outcome("failed"))
            elif one.status == state.PENDING and self._free() > 0:
                self._launch(one)

    def _launch(self, one: Trial) -> None:
        if one.goes_on and one.task:
            tasks.put_back(one.task, self._slots.queue_id(one.queue), "the sweep goes on")
            one.goes_on = False
        else:
            if one.tried and not one.task and (found := read_trials(self._main).get(one.number)):
                one.task = found[0].task  # the answer to an earlier try was lost
            one.tried = True
            one.task = one.task or self._make(one)
            tasks.enqueue(one.task, self._slots.queue_id(one.queue))
        one.status, one.reason = state.QUEUED, ""
        one.started, one.ended = 0.0, 0.0
        self._num_jobs = len(self.trials)
        said = ", ".join(f"{name}={value}" for name, value in one.drawn.items())
        log(f"{one.stage}: queued on '{one.queue}' as task {one.task}: {said}")

    def _make(self, one: Trial) -> str:
        return make_trial(
            self._base,
            one,
            sweep=self._main,
            name=self.plan.sweep.recipe.name,
            project=self._project,
            image=self.plan.run.image,
            fixed=self.plan.fixed,
        )

    def _look_at(self, one: Trial, task: Mapping[str, Any] | None, over: bool) -> None:
        """See how a trial's task is, and do what follows."""
        if task is None:
            one.reason = "its task was deleted"
            self._conclude(one, Outcome("failed"))
            return
        read_times(one, task)
        if one.verdict and task["status"] in _ENDED:
            self._conclude(one, self._judge.conclude(one, task))
            return
        decision = self._lookout.decide(one, task)
        if decision.do is Do.WAIT:
            self._wait(one, task, decision)
            if task["status"] == "in_progress" and not one.verdict:
                self._end_early(one, self._judge.verdict(one, task, over))
            elif over and task["status"] == "queued":
                self._end_early(one, "stopped: the sweep's time is over")
        elif decision.do is Do.GO_ON:
            self._conclude(one, self._judge.conclude(one, task))
        elif decision.do is Do.MARK_DONE:
            tasks.mark_done(one.task, decision.why)
        elif one.verdict:  # it was to end anyway, and whoever ran it is gone
            self._conclude(one, self._judge.conclude(one, task))
        elif decision.do is Do.RETRY:
            self._retry(one, decision)
        elif decision.do is Do.PUT_BACK:
            one.put_back += 1
            self._put_back(one, f"put back on its queue: {decision.why}")
        elif one.goes_on and decision.do is Do.ABORT:
            one.goes_on = False  # it was still on its way to its end when the sweep went on
            self._put_back(one, "the sweep goes on")
        else:
            if task["status"] in ("queued", "in_progress"):
                tasks.stop(one.task, decision.why)
            one.verdict = f"failed: {decision.why}"
            note_verdict(one.task, one.verdict)
            self._conclude(one, self._judge.conclude(one, task))

    def _wait(self, one: Trial, task: Mapping[str, Any], decision: Decision) -> None:
        before = one.status
        if task["status"] == "in_progress":
            one.status, one.worker = state.RUNNING, str(task.get("last_worker") or "")
        else:
            one.status = state.WAITING if decision.why else state.QUEUED
        if one.status == state.WAITING:
            one.reason = self._lookout.advice(one.queue)
        elif before == state.WAITING:
            one.reason = ""
        if one.status != before:
            log(f"{one.stage}: {one.status}" + (f" ({one.reason})" if one.reason else ""))

    def _end_early(self, one: Trial, verdict: str) -> None:
        if not verdict:
            return
        note_verdict(one.task, verdict)
        one.verdict = one.reason = verdict
        log(f"{one.stage}: {verdict}")
        tasks.stop(one.task, verdict)

    def _retry(self, one: Trial, decision: Decision) -> None:
        now = time.monotonic()
        if one.number not in self._retry_at:
            self._retry_at[one.number] = now + 2.0**one.retried
            one.reason = f"failed, starts again in a moment: {decision.why}"
        elif now >= self._retry_at[one.number]:
            del self._retry_at[one.number]
            one.retried += 1
            self._put_back(one, f"started again after a failure: {decision.why}")

    def _put_back(self, one: Trial, why: str) -> None:
        one.reason = why
        log(f"{one.stage}: {why}")
        self.show()  # first noted, then queued: how often is counted through restarts
        tasks.put_back(one.task, self._slots.queue_id(one.queue), why)
        one.status, one.worker, one.started, one.ended = state.QUEUED, "", 0.0, 0.0

    def _conclude(self, one: Trial, outcome: Outcome) -> None:
        with self.lock:
            one.status = _STATUS[outcome.end]
            self.study.tell(one.number, outcome)
        reason = one.reason.removeprefix(f"{one.status}: ")
        log(f"{one.stage}: {one.status}" + (f": {reason}" if reason else ""))
        self.changed.set()

    def _is_enough(self) -> bool:
        return self.exhausted or self.study.count >= self.plan.options.trials

    def _is_over(self) -> bool:
        hours = self.plan.options.hours
        return hours is not None and self.spent() >= hours * 3600.0

    def spent(self) -> float:
        """Seconds that the sweep has run, in all its processes."""
        return self.seconds + time.monotonic() - self._began

    def _has_room(self) -> bool:
        return not self._is_enough() and self._free() > 0

    def _free(self) -> int:
        return self._slots.parallel() - len(self._busy())

    def _busy(self) -> list[str]:
        """The queues of the trials that wait or run."""
        return [one.queue for one in self.trials.values() if one.status in state.ACTIVE]

    def show(self) -> None:
        """Have the state shown and kept."""
        self._store_state(self.snapshot())

    def snapshot(self, ending: Sequence[str] = (), reason: str = "") -> PipelineState:
        """The state of the sweep, in the words of a pipeline's."""
        with self.lock:
            shown = list(self.trials.values())[-_SHOWN:]
            steps = {one.stage: self._judge.step_of(one) for one in shown}
        return PipelineState(self._main, steps, reason, round(self.spent(), 1), list(ending))

    def stop_trials(self, why: str) -> None:
        """Stop every trial that waits or runs; a resumed sweep goes on with them."""
        for one in self.trials.values():
            if one.status in state.ACTIVE:
                tasks.stop(one.task, why)
                one.status, one.reason = state.ABORTED, why
        self._store_state(self.snapshot((), why))

    def get_running_jobs(self) -> Sequence[Job]:
        """The trials that wait or run, as ClearML's optimizer sees them."""
        return self._jobs_of([one for one in self.trials.values() if one.status in state.ACTIVE])

    def get_created_jobs_ids(self) -> Mapping[str, dict[str, Any]]:
        """The values of all trials, by task."""
        return {one.task: dict(one.drawn) for one in self.trials.values() if one.task}

    def _jobs_of(self, wanted: Sequence[Trial]) -> list[Job]:
        return [Job(one.task) for one in wanted]
