"""A benchmark as tables: for people, and as CSV with every figure."""

from __future__ import annotations

import csv
import io
from typing import Any

from models.benchmark.record import BenchmarkRecord, Latency, Row

Table = tuple[list[str], list[list[Any]]]
"""Columns and rows; None where there is no figure."""


def forms_table(record: BenchmarkRecord) -> Table:
    """One row for each form: accuracy, latency, throughput, memory, size, start."""
    metrics = metric_names(record)
    columns = ["file", "format", "precision", "runtime", "variant", "baseline", "device"]
    columns += [f"{record.split} {name}" for name in metrics]
    for what in ("end to end", "network"):
        columns += [f"{what} {name} ms" for name in ("p50", "p90", "p99")]
        columns += [f"{what} spread", f"{what} calls"]
    columns += ["best pictures/s", "at batch", "cores busy", "memory MB", "base memory MB"]
    columns += [
        "GPU memory MB",
        "size MB",
        "start s",
        "load s",
        "worse than the baseline",
        "problem",
    ]
    rows: list[list[Any]] = []
    for row in record.rows:
        best, batch = best_throughput(row)
        rows.append(
            [
                *[row.file, row.format, row.precision, row.runtime, row.variant],
                *["yes" if row.baseline else "", row.device],
                *[_rounded(row.metrics.get(name), 4) for name in metrics],
                *_times(row.end_to_end),
                *_times(row.network),
                *[_rounded(best, 1), batch, _rounded(row.cores, 2)],
                *[_rounded(row.memory_mb, 1), _rounded(row.base_memory_mb, 1)],
                _rounded(row.gpu_memory_mb, 1),
                *[_rounded(row.bytes / 1e6, 2), _rounded(row.start, 3), _rounded(row.load, 3)],
                *["; ".join(row.regressions), row.problem],
            ]
        )
    return columns, rows


def throughput_table(record: BenchmarkRecord) -> Table:
    """One row for each form and batch size."""
    columns = ["file", "precision", "runtime", "variant", "baseline", "batch"]
    columns += ["pictures/s", "network pictures/s", "call p50 ms", "call p90 ms", "call p99 ms"]
    columns += ["network call p50 ms", "spread", "calls", "memory MB", "problem"]
    rows: list[list[Any]] = []
    for row in record.rows:
        for one in row.throughput:
            p50, p90, p99, spread, calls = _times(one.end_to_end)
            rows.append(
                [
                    *[row.file, row.precision, row.runtime, row.variant],
                    *["yes" if row.baseline else "", one.batch],
                    *[_rounded(one.pictures, 2), _rounded(one.network_pictures, 2)],
                    *[p50, p90, p99, _times(one.network)[0], spread, calls],
                    *[_rounded(one.memory_mb, 1), one.problem],
                ]
            )
    return columns, rows


def metric_names(record: BenchmarkRecord) -> list[str]:
    """Names of the figures that any form has, the main one in front."""
    names = dict.fromkeys(name for row in record.rows for name in row.metrics)
    return sorted(names, key=lambda name: name != record.metric)


def best_throughput(row: Row) -> tuple[float | None, int | None]:
    """The most pictures a second, and the batch size that gives them."""
    rates = [(one.pictures, one.batch) for one in row.throughput if one.pictures is not None]
    return max(rates, default=(None, None))


def csv_text(table: Table) -> str:
    """Write a table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table[0])
    writer.writerows(table[1])
    return text.getvalue()


def _times(latency: Latency | None) -> list[Any]:
    if latency is None:
        return [None] * 5
    values = (latency.p50, latency.p90, latency.p99, latency.spread)
    return [*[_rounded(value, 3) for value in values], latency.calls]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
