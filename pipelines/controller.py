"""The loop of a pipeline: runs its stages through failures, restarts and lost agents.

ClearML's own loop can end as completed without having run its steps, waits for lost tasks without
end, and starts running steps again when it is restarted. This one reads from the server how every
task is, and a pipeline is done only when each of its tasks is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from clearml import Task

from components.code import CodeState, is_this_machine
from components.run.api import server_url
from components.run.attempt import ATTEMPT_KEY, FINISHED_KEY, STARTED_KEY
from components.run.door import SupersededError
from pipelines import recovery, state, tasks
from pipelines.console import log
from pipelines.display import Display
from pipelines.graph import Step
from pipelines.recipe import Plan
from pipelines.recovery import Decision, Do
from pipelines.starting import Starter
from pipelines.state import PipelineState, StepState
from pipelines.watching import Lookout


class AbortedError(Exception):
    """Someone has stopped the pipeline."""


class Controller:
    """Runs one pipeline in the process of its controller's task."""

    def __init__(
        self, task: Task, attempt: str, plan: Plan, code: CodeState, earlier: PipelineState | None
    ) -> None:
        """Take the pipeline over.

        Args:
            task: this process's main task.
            attempt: id of this attempt; another one's takes the pipeline away from us.
            plan: what to run.
            code: the code that the stages shall run.
            earlier: what an earlier process of this controller has left.
        """
        self.plan = plan
        self.state = earlier or PipelineState(task.id)
        self.state.reason = ""
        for name in plan.recipe.graph.stages:
            step = self.state.steps.setdefault(name, StepState(name))
            step.status, step.reason, step.retried, step.put_back = state.PENDING, "", 0, 0
            step.queue = plan.queue(name)
        self.wake = threading.Event()
        """Set to have the loop look at once, as by a signal handler."""
        self.terminated = False
        """Set to have the loop end without touching the stages."""
        self._main = task.id
        self._attempt = attempt
        # A server that others share is asked less often.
        self._poll_s = 0.2 if is_this_machine(server_url()) else 2.0
        self._starter = Starter(
            task.id, plan, code, self.state, lambda: self._display.store(self.state)
        )
        self._display = Display(task, plan, self._starter.templates)
        self._lookout = Lookout(plan.run)
        self._retry_at: dict[str, float] = {}

    def _store(self) -> None:
        self._display.store(self.state)

    def run(self) -> bool:
        """Run until every stage has ended.

        Returns:
            Whether every stage ended well, as the server has it.

        Raises:
            AbortedError: someone has stopped the pipeline; its stages still run.
            SupersededError: another process runs this pipeline now; nothing was touched.
        """
        self._display.show(self.state)
        outage: float | None = None
        while True:
            try:
                goes_on = self._tick()
                if outage is not None:
                    log(f"the server is back after {time.monotonic() - outage:.0f} s")
                    self._lookout.start_over()
                    outage = None
                if not goes_on:
                    return self._verdict()
            except Exception as error:
                if not tasks.is_outage(error):
                    raise
                if outage is None:
                    outage = time.monotonic()
                    log(f"the server doesn't answer, trying on ({type(error).__name__})")
            self.wake.wait(self._poll_s if outage is None else 1.0)
            self.wake.clear()

    def _tick(self) -> bool:
        """Look at everything once; tells whether there is more to come."""
        active = [step for step in self.state.steps.values() if step.status in state.ACTIVE]
        seen = tasks.look([self._main, *(step.task for step in active)])
        heed(seen.get(self._main), self._attempt)
        if self.terminated:
            raise SupersededError("this process was told to end")
        for own in active:
            self._judge(own, seen.get(own.task))
        ready = [step for step in self.plan.recipe.graph.steps if self._is_ready(step)]
        for step in ready:
            self._starter.begin(step)
        self._display.show(self.state)
        return bool(ready) or any(s.status in state.ACTIVE for s in self.state.steps.values())

    def _is_ready(self, step: Step) -> bool:
        steps, results = self.state.steps, self._starter.results
        bad = (state.FAILED, state.ABORTED)
        # A parent whose result is whole may still be on its way to its end.
        return steps[step.stage].status == state.PENDING and all(
            parent in results and steps[parent].status not in bad for parent in step.parents
        )

    def _judge(self, own: StepState, task: Mapping[str, Any] | None) -> None:
        """See how a stage's task is, and do what follows."""
        if task is None:
            own.status, own.reason = state.FAILED, "its task was deleted"
            return
        read_times(own, task)
        if (task.get("runtime") or {}).get(FINISHED_KEY):
            self._starter.read_result(own)
        decision = self._lookout.decide(own, task)
        if decision.do is Do.WAIT:
            self._wait(own, task, decision)
        elif decision.do is Do.GO_ON:
            self._starter.read_result(own)
            own.status = state.COMPLETED
            log(f"{own.stage}: completed in {own.seconds or 0.0:.1f} s")
        elif decision.do is Do.MARK_DONE:
            log(f"{own.stage}: {decision.why}; marked as completed")
            tasks.mark_done(own.task, decision.why)
        elif decision.do is Do.RETRY:
            self._retry(own, decision)
        elif decision.do is Do.PUT_BACK:
            own.put_back += 1
            self._put_back(own, f"put back on its queue: {decision.why}")
        else:
            if task["status"] in ("queued", "in_progress"):
                tasks.stop(own.task, decision.why)
            own.status = state.ABORTED if decision.do is Do.ABORT else state.FAILED
            own.reason = decision.why
            log(f"{own.stage}: {own.status}: {own.reason}")

    def _wait(self, own: StepState, task: Mapping[str, Any], decision: Decision) -> None:
        before = own.status
        if task["status"] == "in_progress":
            own.status, own.worker = state.RUNNING, str(task.get("last_worker") or "")
        else:
            own.status = state.WAITING if decision.why else state.QUEUED
        if own.status == before:
            return
        if own.status == state.WAITING:
            own.reason = self._lookout.advice(own.queue)
        elif before == state.WAITING:
            own.reason = ""
        where = f" on {own.worker}" if own.status == state.RUNNING else ""
        log(f"{own.stage}: {own.status}{where}" + (f" ({own.reason})" if own.reason else ""))

    def _retry(self, own: StepState, decision: Decision) -> None:
        """Start a stage again that failed; what broke at once may need a moment to be mended."""
        now = time.monotonic()
        if own.stage not in self._retry_at:
            self._retry_at[own.stage] = now + 2.0**own.retried
            own.reason = f"failed, starts again in a moment: {decision.why}"
            log(f"{own.stage}: {own.reason}")
        elif now >= self._retry_at[own.stage]:
            del self._retry_at[own.stage]
            own.retried += 1
            self._put_back(own, f"started again after a failure: {decision.why}")

    def _put_back(self, own: StepState, why: str) -> None:
        own.reason = why
        log(f"{own.stage}: {why}")
        self._starter.results.pop(own.stage, None)
        self._starter.put_back(own, why)

    def _verdict(self) -> bool:
        """Read once more how every task ended: no stage counts as done on hearsay."""
        steps = self.state.steps.values()
        seen = tasks.look([step.task for step in steps if step.task])
        for step in steps:
            status = seen[step.task]["status"] if step.task in seen else "deleted"
            if step.status == state.PENDING:
                step.status = state.SKIPPED
            elif step.status in state.WELL and status not in recovery.DONE:
                step.status, step.reason = state.FAILED, f"its task is {status}"
            elif step.status == state.COMPLETED:
                read_times(step, seen[step.task])
        bad = [step for step in steps if step.status in (state.FAILED, state.ABORTED)]
        self.state.reason = "; ".join(f"{s.stage} {s.status}: {s.reason}" for s in bad)
        self._display.show(self.state)
        return all(step.status in state.WELL for step in steps)

    def stop_steps(self, why: str) -> None:
        """Stop every stage that waits or runs."""
        for step in self.state.steps.values():
            if step.status in state.ACTIVE:
                tasks.stop(step.task, why)
                step.status, step.reason = state.ABORTED, why
            elif step.status == state.PENDING:
                step.status = state.SKIPPED
        self.state.reason = why
        self._display.show(self.state)


def heed(own: Mapping[str, Any] | None, attempt: str) -> None:
    """See whether a controller may go on.

    Args:
        own: its task, as `tasks.look` reads it.
        attempt: id of its process's attempt.

    Raises:
        AbortedError: someone has stopped it.
        SupersededError: another process runs it now, or is to do so.
    """
    if own is None:
        raise AbortedError("the pipeline's task was deleted")
    other = (own.get("runtime") or {}).get(ATTEMPT_KEY) != attempt
    if other or own["status"] == "queued":
        raise SupersededError("this pipeline was started again by another process")
    if str(own.get("status_reason") or "").lower() == recovery.AGENT_ENDED:
        raise SupersededError("the agent of this pipeline was ended")
    if own["status"] != "in_progress" or "stopping" in str(own.get("status_message") or ""):
        raise AbortedError("the pipeline was stopped")


def read_times(own: StepState, task: Mapping[str, Any]) -> None:
    """Read when a stage's process started and ended."""
    runtime = task.get("runtime") or {}
    if task["status"] in ("queued", "created"):
        return
    own.started = float(runtime.get(STARTED_KEY) or 0) or tasks.moment(task.get("started"))
    if task["status"] != "in_progress":
        own.ended = float(runtime.get(FINISHED_KEY) or 0) or tasks.moment(task.get("completed"))
