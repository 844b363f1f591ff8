"""ClearML's optimizer with our strategy in it, and our summary in place of its own."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

from clearml.automation import HyperParameterOptimizer

from pipelines import tasks
from pipelines.console import log
from pipelines.state import PipelineState
from pipelines.sweep.objectives import SINGLE
from pipelines.sweep.plan import SweepPlan
from pipelines.sweep.strategy import Strategy
from pipelines.sweep.summary import Summary

_SUMMARY_SECONDS = 5.0
"""How often the summary is renewed at most."""


class Search(HyperParameterOptimizer):  # type: ignore[misc]  # the SDK ships no types
    """Runs a sweep in a thread of its own, while another one reports."""

    def __init__(
        self,
        task: Any,
        plan: SweepPlan,
        *,
        base: Mapping[str, Any],
        attempt: str,
        earlier: PipelineState | None,
        store: Callable[[PipelineState], None],
    ) -> None:
        """Prepare the search.

        Args:
            task: the sweep's task.
            plan: what to sweep.
            base: `id`, `hyperparams` and `container` of what the trials are clones of.
            attempt: id of this process's attempt.
            earlier: what an earlier process of this sweep has left.
            store: shows the state, and keeps it for later processes.
        """
        first = plan.objectives[0]
        super().__init__(
            base_task_id=base["id"],
            # The space has conditions, which ClearML's own kinds of parameters don't know; and
            # several objectives it leaves to its own strategy only. Ours knows both from the plan.
            hyper_parameters=[],
            objective_metric_title=SINGLE,
            objective_metric_series=first.name,
            objective_metric_sign="max" if first.largest else "min",
            optimizer_class=Strategy,
            max_number_of_concurrent_tasks=plan.options.parallel or 1,
            execution_queue=plan.queues[0],
            # It would write its arguments to `Args/` and read them back, ours with them.
            auto_connect_task=False,
            plan=plan,
            base=base,
            attempt=attempt,
            earlier=earlier,
            controller=task.id,
            store=store,
        )
        self.strategy: Strategy = self.optimizer
        self._summary = Summary(task, plan)

    def run(self) -> None:
        """Run until the sweep has ended.

        Raises:
            AbortedError: someone has stopped the sweep; its trials still run.
            SupersededError: another process runs it now; nothing was touched.
        """
        self.start()
        self.wait()
        if self.strategy.error is not None:
            raise self.strategy.error
        self._thread_reporter.join()
        self._summary.report_end(*self._now())

    def _now(self) -> Any:
        with self.strategy.lock:
            trials = [copy.copy(one) for one in self.strategy.trials.values()]
            return trials, copy.deepcopy(self.strategy.study)

    def _report_daemon(self) -> None:
        """Renew the summary whenever a trial has ended.

        ClearML's own thread would report every few minutes, and asks the server for each trial.
        """
        strategy = self.strategy
        while self._thread is not None and strategy.error is None:
            if not strategy.changed.wait(1.0):
                continue
            strategy.changed.clear()
            began = time.monotonic()
            try:
                self._summary.report(*self._now())
            except Exception as error:
                if not tasks.is_outage(error):
                    log(f"note: the summary couldn't be drawn: {type(error).__name__}: {error}")
            while time.monotonic() - began < _SUMMARY_SECONDS and self._thread is not None:
                time.sleep(0.1)
