"""What an export found out about each form of a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.package import Parity


class ExportError(ValueError):
    """An export that isn't the model it was made from, with the figures that show it."""


@dataclass(frozen=True)
class Latency:
    """Median time of one picture, batch 1, milliseconds."""

    network: float
    """The runtime alone, input ready in memory."""
    end_to_end: float
    """From a decoded picture to results."""


@dataclass(frozen=True)
class FormReport:
    """One form of the model."""

    runtime: str
    file: str
    precision: str
    bytes: int
    metrics: dict[str, float]
    """Measured on this very file."""
    drop: float
    """Main metric lost against PyTorch; negative if it gained."""
    parity: Parity | None
    """None for PyTorch itself, and where the model found nothing to compare."""
    latency: Latency | None

    @property
    def name(self) -> str:
        """The runtime, and the precision unless it is float32."""
        return self.runtime if self.precision == "float32" else f"{self.runtime} {self.precision}"


@dataclass(frozen=True)
class ExportReport:
    """All forms, PyTorch in front."""

    package: Path
    """Folder of the new package."""
    metric: str
    """The main metric."""
    budget: float
    split: str
    pictures: int
    """On which the metrics were measured."""
    forms: tuple[FormReport, ...]

    def record(self) -> dict[str, Any]:
        """Give it as JSON-able data."""
        return {
            **asdict(self),
            "package": str(self.package),
            "forms": [
                {**asdict(form), "parity": form.parity and form.parity.model_dump()}
                for form in self.forms
            ],
        }

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """Give columns and rows for people."""
        columns = ["runtime", "file", "precision", "MB", self.metric, "drop", "score off by"]
        columns += ["position off by (px)", "outside", "network ms", "end to end ms"]
        rows: list[list[Any]] = []
        for form in self.forms:
            off = form.parity.difference if form.parity else {}
            outside = f"{form.parity.outside}/{form.parity.compared}" if form.parity else ""
            metric = form.metrics.get(self.metric)
            rows.append(
                [
                    form.runtime,
                    form.file,
                    form.precision,
                    round(form.bytes / 1e6, 1),
                    "" if metric is None else round(metric, 4),
                    round(form.drop, 4),
                    f"{off['score']:.1e}" if "score" in off else "",
                    f"{off['position']:.1e}" if "position" in off else "",
                    outside,
                    round(form.latency.network, 2) if form.latency else "",
                    round(form.latency.end_to_end, 2) if form.latency else "",
                ]
            )
        return columns, rows
