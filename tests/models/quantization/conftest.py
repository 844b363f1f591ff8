"""One quantisation of a small trained detector, for all tests that look at what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from models.quantization import QuantizeOptions, QuantizeReport, quantize
from models.reporting import Silence


class Listener(Silence):
    """Keeps log lines and tables."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {}

    def log(self, message: str) -> None:
        self.lines.append(message)

    def table(
        self,
        title: str,
        series: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int = 0,
    ) -> None:
        self.tables[series] = columns, rows


@pytest.fixture
def listener() -> Listener:
    """A reporter that keeps what it is told."""
    return Listener()


@pytest.fixture(scope="session")
def quantized(
    trained: Path, squares: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[QuantizeReport, Listener]:
    """What quantising `trained` found out, and what it said."""
    heard = Listener()
    options = QuantizeOptions(
        calibration_pictures=16, budget=0.2, resamples=200, threads=1, latency_calls=1
    )
    target = tmp_path_factory.mktemp("quantized") / "package"
    return quantize(trained, target, squares, options, heard), heard
