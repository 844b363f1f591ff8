"""Follow a pipeline from a terminal or a log: its stages while it runs, its results at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from components.failure import INTERRUPTED, MACHINE_FAILED, MESSAGE_KEY, OK
from components.run.api import ServerError, call, server_url
from components.run.progress import span
from pipelines import cache, queues, report, state, tasks
from pipelines.page.figures import figure_rows
from pipelines.page.publishing import ARTIFACT
from pipelines.recovery import DONE
from pipelines.state import PipelineState, StepState, stored_state

_LOOK_SECONDS = 0.5
_LINE_SECONDS = 2.0
"""How often the last line of a running stage is read."""
_EVENTS_READ = 20
_NOISE = re.compile(
    r" - clearml|ClearML Monitor|pulled from|^(sdk|agent|api)\.|NVML|Warning: |\[\d+:\d+<"
    r"|^[IW]\d{4} \d\d:\d\d:"
)
"""Lines that say nothing about a stage: of the SDK, the agent, their bars, and PyTorch's log."""
_PLAIN_LINE_SECONDS = 20.0
"""How often a log shows it."""
_COLOURS = {
    state.COMPLETED: "green",
    state.CACHED: "cyan",
    state.RUNNING: "yellow",
    state.WAITING: "magenta",
    state.FAILED: "red",
    state.ABORTED: "red",
    state.PRUNED: "blue",
}
_ENDED = frozenset({*DONE, "failed", "stopped"})


class Watcher:
    """Reads how a pipeline is. Only looks, so that it may be ended at any moment."""

    def __init__(self, pipeline: str) -> None:
        """Watch the pipeline whose controller's task this is."""
        self.pipeline = pipeline
        self.status = "queued"
        self.reason = ""
        self.state = PipelineState(pipeline)
        self.lines: dict[str, str] = {}
        """Last line of each running stage, by stage."""
        self._next_lines = 0.0

    def look(self) -> bool:
        """Read everything once; tells whether the pipeline has ended.

        Raises:
            ValueError: it was deleted.
        """
        fields = ["status", "status_reason", "runtime", "execution.queue"]
        task = tasks.read_task(self.pipeline, fields)
        if task is None:
            raise ValueError(f"pipeline {self.pipeline} was deleted")
        self.status = task["status"]
        # In a queue there may be the state of an earlier process, which is of no interest now.
        fresh = PipelineState(self.pipeline)
        self.state = fresh if self.status == "queued" else stored_state(task) or fresh
        if self.status in _ENDED:
            said = (task.get("runtime") or {}).get(MESSAGE_KEY) or self.state.reason
            self.reason = str(said or task.get("status_reason") or "")
        elif self.status != "queued":
            self.reason = ""
        if time.monotonic() >= self._next_lines:
            self._next_lines = time.monotonic() + _LINE_SECONDS
            if self.status == "queued":
                self.reason = _why_queued(task)
            running = [s for s in self.state.steps.values() if s.status == state.RUNNING]
            self.lines = {step.stage: _last_line(step.task) for step in running}
        return self.status in _ENDED

    @property
    def well(self) -> bool:
        """Whether every stage ended well; a sweep's trials need not."""
        steps = self.state.steps.values()
        some_may_fail = self.state.ending is not None
        return self.status in DONE and (
            some_may_fail or all(step.status in state.WELL for step in steps)
        )


def watch(pipeline: str, console: Console | None = None) -> int:
    """Show a pipeline until it has ended, then its results.

    Args:
        pipeline: id of the controller's task.
        console: where to; standard output unless given. One that is no terminal gets lines.

    Returns:
        An exit code: 0 if every stage ended well, 130 after Ctrl-C.
    """
    console = console or Console(highlight=False)
    watcher = Watcher(pipeline)
    try:
        if console.is_terminal:
            _live(watcher, console)
        else:
            _plain(watcher, console)
    except KeyboardInterrupt:
        console.print(
            f"\nthe pipeline goes on; follow it with: sightline watch {pipeline}\n"
            f"stop it with: sightline stop {pipeline}",
            soft_wrap=True,
        )
        return INTERRUPTED
    _summary(watcher, console)
    return OK if watcher.well else MACHINE_FAILED


def _live(watcher: Watcher, console: Console) -> None:
    with Live(console=console, refresh_per_second=4) as live:
        while True:
            ended = _patiently(watcher, console)
            live.update(_table(watcher, now=time.time()))
            if ended:
                return
            time.sleep(_LOOK_SECONDS)


def _plain(watcher: Watcher, console: Console) -> None:
    sentences, lines = News(), News()
    last_line = 0.0
    while True:
        ended = _patiently(watcher, console)
        states = {"": f"the controller is {watcher.status}"}
        if watcher.reason and not ended:
            states[""] += f": {watcher.reason}"
        for step in watcher.state.steps.values():
            if step.status != state.PENDING:
                states[step.stage] = _sentence(step)
        for _, sentence in sentences.tell(states):
            console.print(sentence, soft_wrap=True, markup=False)
        if watcher.lines and time.monotonic() - last_line > _PLAIN_LINE_SECONDS:
            last_line = time.monotonic()
            for name, line in lines.tell(watcher.lines):
                console.print(f"{name}: {line}", soft_wrap=True, markup=False)
        if ended:
            return
        time.sleep(_LOOK_SECONDS)


class News:
    """Keeps a log from saying the same thing of the same subject again and again."""

    def __init__(self) -> None:
        """Know nothing."""
        self._told: dict[str, str] = {}

    def tell(self, said: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return what was not the last thing told of its subject, and take it as told."""
        news = [
            (name, line) for name, line in said.items() if line and line != self._told.get(name)
        ]
        self._told |= dict(news)
        return news


def _patiently(watcher: Watcher, console: Console) -> bool:
    try:
        return watcher.look()
    except Exception as error:
        if not tasks.is_outage(error):
            raise
        console.print("the server doesn't answer, trying on", soft_wrap=True)
        time.sleep(2.0)
        return False


def _sentence(step: StepState) -> str:
    where = f" on {step.worker}" if step.status == state.RUNNING and step.worker else ""
    took = f" in {span(step.seconds)}" if step.seconds and step.status == state.COMPLETED else ""
    return f"{step.stage}: {step.status}{where}{took}" + (f": {step.reason}" if step.reason else "")


def _table(watcher: Watcher, now: float | None = None) -> Table:
    table = Table(title=f"pipeline {watcher.pipeline}: {watcher.status}", title_justify="left")
    table.add_column("stage")
    table.add_column("status")
    table.add_column("time", justify="right")
    table.add_column("where" if now else "task", no_wrap=True)
    table.add_column("")
    for step in watcher.state.steps.values():
        seconds = step.seconds
        if seconds is None and now and step.started and step.status == state.RUNNING:
            seconds = max(0.0, now - step.started)
        where = (step.worker or step.queue) if now else step.task
        table.add_row(
            step.stage,
            Text(step.status, style=_COLOURS.get(step.status, "")),
            "" if seconds is None or step.status == state.CACHED else span(seconds),
            where if step.status != state.PENDING or not now else "",
            Text(step.reason or (watcher.lines.get(step.stage, "") if now else "")),
        )
    if not watcher.state.steps:
        table.add_row("", watcher.status, "", "", Text(watcher.reason or "the controller starts"))
    return table


def _summary(watcher: Watcher, console: Console) -> None:
    if not console.is_terminal:
        console.print(_table(watcher))
    figures = report.read_figures(watcher.pipeline) if watcher.well else {}
    if figures:
        console.print(_figures_table(figures))
    said = watcher.state.ending
    places = _places(watcher.state) if said is None else said
    lines = [f"pipeline  {server_url()}  task {watcher.pipeline}", *places]
    lines += [f"report    {url}" for url in _report_url(watcher.pipeline)]
    if not watcher.well:
        lines.append(f"the pipeline {watcher.status}: {watcher.reason or 'no reason was given'}")
        lines.append(f"let it go on with: sightline resume {watcher.pipeline}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _figures_table(figures: Mapping[str, float]) -> Table:
    """Lay figures named `split/name` out with a column for each split, the others below."""
    splits, rows, rest = figure_rows(figures)
    table = Table(title="figures", title_justify="left")
    table.add_column("figure")
    for split in splits:
        table.add_column(split, justify="right")
    for name, cells in rows.items():
        table.add_row(name, *("" if cell is None else f"{cell:.4g}" for cell in cells))
    if rest:
        table.add_section()
    for name, value in rest.items():
        table.add_row(name, f"{value:.4g}")
    return table


def _places(now: PipelineState) -> list[str]:
    """Say where the last dataset and the last model lie."""
    found: dict[str, str] = {}
    for step in now.steps.values():
        task = tasks.read_task(step.task, ["hyperparams.Result"]) if step.task else None
        result: Mapping[str, str] = cache.result_of(task or {})
        if result.get("dataset"):
            name = f"{result.get('name', '')} {result.get('version', '')}".strip()
            found["dataset"] = f"dataset   {name} (id {result['dataset']}) of {step.stage}"
        if result.get("model"):
            at = f" at {result['url']}" if result.get("url") else ""
            found["model"] = f"model     id {result['model']} of {step.stage}{at}"
    return list(found.values())


def _report_url(pipeline: str) -> list[str]:
    task = tasks.read_task(pipeline, ["execution.artifacts"]) or {}
    kept = (task.get("execution") or {}).get("artifacts") or []
    return [str(one["uri"]) for one in kept if one["key"] == ARTIFACT]


def _why_queued(task: Mapping[str, Any]) -> str:
    queue = (task.get("execution") or {}).get("queue")
    for known in queues.read_queues().values():
        if known.id == queue:
            ahead = known.waiting.index(task["id"]) if task["id"] in known.waiting else 0
            if not known.agents:
                return known.advice
            return f"{ahead} task(s) before it in the queue '{known.name}'" if ahead else ""
    return ""


def _last_line(task: str) -> str:
    try:
        events = call("events.get_task_log", task=task, batch_size=_EVENTS_READ)["events"]
    except ServerError as error:
        if tasks.is_outage(error):
            raise
        return ""
    return last_telling_line(str(event.get("msg") or "") for event in events)


def last_telling_line(messages: Iterable[str]) -> str:
    """Find the last line that says something about a stage.

    Args:
        messages: parts of a console log, the newest first.

    Returns:
        At most 160 characters; empty if there is no such line.
    """
    for message in messages:
        for line in reversed([line.strip() for line in message.replace("\r", "\n").split("\n")]):
            if line and not _NOISE.search(line):
                return line[:160]
    return ""
