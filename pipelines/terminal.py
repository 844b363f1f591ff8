"""Progress of a command that works on this machine."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from models.reporting import Silence


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


class Terminal(Silence):
    """A reporter that draws a bar for each kind of work, and nothing where no one looks."""

    def __init__(self, *, shown: bool = True, rate: bool = False) -> None:
        """Draw bars, with items a second if `rate`; `shown=False` draws none."""
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        console = Console(stderr=True)
        self._progress = Progress(
            *columns,
            *([_Rate()] if rate else []),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            # Into a file even bars that nobody sees would write an empty line.
            disable=not (shown and console.is_terminal),
        )
        self._bars: dict[str, int] = {}

    def __enter__(self) -> Terminal:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def progress(self, description: str, done: int, total: int) -> None:
        """Move the bar of this kind of work; a total of 0 is one that isn't known."""
        if description not in self._bars:
            self._bars[description] = self._progress.add_task(description, total=None)
        bar = self._progress.tasks[self._bars[description]].id
        self._progress.update(bar, completed=done, total=total or None)

    def note(self, message: str) -> None:
        """Write a line above the bars, to standard error."""
        self._progress.console.print(message, markup=False, highlight=False, soft_wrap=True)
