"""Measured accuracy, written into the package it was measured on."""

from __future__ import annotations

from models.benchmark.record import BenchmarkRecord
from models.package import Metric, ModelPackage


def with_figures(package: ModelPackage, record: BenchmarkRecord) -> ModelPackage:
    """Add each form's accuracy to a package's card.

    A file that ran in several ways gets the figure of the usual one; the others stay in the
    record. So do latencies, which are this machine's and not the model's.
    """
    metrics: dict[tuple[str, str], Metric] = {}
    for row in record.own:
        if row.variant:
            continue
        for name, value in row.metrics.items():
            key = (row.file, name)
            metrics.setdefault(
                key,
                Metric(
                    name=name,
                    value=value,
                    split=record.split,
                    artifact=row.file,
                    pictures=record.pictures,
                ),
            )
    return package.with_metrics(list(metrics.values()))
