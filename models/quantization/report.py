"""What a quantisation found out about each form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.bootstrap import Loss
from models.export.report import Latency
from models.package import Parity, Quantization


class BudgetError(ValueError):
    """A form lost more than the budget allows, with the figures."""


@dataclass(frozen=True)
class FloatLayer:
    """A layer that computes in float."""

    name: str
    kind: str
    """Convolution, matrix product or other, in the format's own words."""
    reason: str


@dataclass(frozen=True)
class QuantizedForm:
    """One INT8 form."""

    runtime: str
    file: str
    bytes: int
    quantization: Quantization
    metrics: dict[str, float]
    """Measured on this very file."""
    loss: Loss
    """Of the main metric, against PyTorch in float32."""
    plain: Loss | None
    """Of plain post-training quantisation, where accuracy control followed it."""
    parity: Parity | None
    """None where the model found nothing to compare."""
    latency: Latency | None
    float_layers: tuple[FloatLayer, ...]
    kept: bool = True
    """False for a form that was outside the budget and left out."""


@dataclass(frozen=True)
class QuantizeReport:
    """All INT8 forms."""

    package: Path
    """Folder of the new package."""
    metric: str
    """The main metric."""
    budget: float
    split: str
    pictures: int
    reference: Latency | None
    """Of PyTorch."""
    forms: tuple[QuantizedForm, ...]

    def record(self) -> dict[str, Any]:
        """Give it as JSON-able data."""
        return {
            **asdict(self),
            "package": str(self.package),
            "forms": [
                {
                    **asdict(form),
                    "quantization": form.quantization.model_dump(mode="json"),
                    "parity": form.parity and form.parity.model_dump(mode="json"),
                    "loss": form.loss.record(),
                    "plain": form.plain and form.plain.record(),
                }
                for form in self.forms
            ],
        }

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """Give columns and rows for people."""
        columns = ["runtime", "file", "method", "MB", self.metric, "loss", "from", "to", "budget"]
        columns += ["plain loss", "int8 layers", "float layers", "network ms", "end to end ms"]
        columns += ["kept"]
        rows = [
            [
                form.runtime,
                form.file,
                form.quantization.method + (", trained" if form.quantization.trained else ""),
                round(form.bytes / 1e6, 2),
                round(form.loss.candidate, 4),
                round(form.loss.value, 4),
                round(form.loss.low, 4),
                round(form.loss.high, 4),
                self.budget,
                round(form.plain.value, 4) if form.plain else "",
                form.quantization.layers,
                len(form.float_layers),
                round(form.latency.network, 2) if form.latency else "",
                round(form.latency.end_to_end, 2) if form.latency else "",
                "yes" if form.kept else "no",
            ]
            for form in self.forms
        ]
        return columns, rows

    def layer_table(self) -> tuple[list[str], list[list[Any]]]:
        """List the layers that compute in float, and why."""
        rows = [
            [form.file, layer.name, layer.kind, layer.reason]
            for form in self.forms
            for layer in form.float_layers
        ]
        return ["file", "layer", "kind", "why"], rows
