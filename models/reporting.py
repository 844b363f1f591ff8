"""What code that learns or measures may say to the outside, whatever the outside is.

`models` never imports ClearML. Training, checks and metrics speak to a `Reporter`; a stage's
run (`components.run`) is one, tests use `Silence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from models.images import Image

__all__ = ["Image", "Reporter", "Silence"]


class Reporter(Protocol):
    """Takes scalars, pictures, plots and progress. Steps are absolute, never offsets."""

    def scalar(self, title: str, series: str, value: float, step: int) -> None:
        """Report one point of the curve `series` in the plot `title`."""

    def value(self, name: str, value: float) -> None:
        """Report a single value (a final figure, not a curve)."""

    def image(self, title: str, series: str, image: Image, step: int) -> None:
        """Report a debug sample."""

    def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None:
        """Report an interactive plot, a `plotly.graph_objects.Figure`."""

    def table(
        self,
        title: str,
        series: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int = 0,
    ) -> None:
        """Report a table."""

    def log(self, message: str) -> None:
        """Write one line for people."""

    def progress(self, description: str, done: int, total: int) -> None:
        """Say how far long work has come; cheap enough to call at every item."""


class Silence:
    """A reporter that drops everything."""

    def scalar(self, title: str, series: str, value: float, step: int) -> None: ...  # noqa: D102
    def value(self, name: str, value: float) -> None: ...  # noqa: D102
    def image(self, title: str, series: str, image: Image, step: int) -> None: ...  # noqa: D102
    def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None: ...  # noqa: D102
    def table(  # noqa: D102
        self,
        title: str,
        series: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int = 0,
    ) -> None: ...
    def log(self, message: str) -> None: ...  # noqa: D102
    def progress(self, description: str, done: int, total: int) -> None: ...  # noqa: D102
