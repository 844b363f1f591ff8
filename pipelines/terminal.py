"""Progress of a command that works on this machine."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.reporting import Silence


class Terminal(Silence):
    """A reporter that draws a bar for each kind of work, and nothing where no one looks."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
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
        """Move the bar of this kind of work."""
        if description not in self._bars:
            self._bars[description] = self._progress.add_task(description)
        bar = self._progress.tasks[self._bars[description]].id
        self._progress.update(bar, completed=done, total=total)
