"""A benchmark on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.benchmark.tables import best_throughput, metric_names


def show(record: BenchmarkRecord, console: Console | None = None) -> None:
    """Print the figures of all forms, and what to know about them."""
    console = console or Console()
    machine = record.hardware
    gpus = "".join(f", {gpu}" for gpu in machine.gpus)
    console.print(
        f"{machine.cpu}, {machine.usable:g} cores, {machine.memory_gb:g} GB{gpus}; "
        f"{' '.join(machine.flags)}",
        style="dim",
        highlight=False,
        markup=False,
    )
    console.print(_forms(record))
    if any(row.throughput for row in record.rows):
        console.print(_throughput(record))
    for row in record.rows:
        if row.problem:
            console.print(f"{row.label}: {row.problem}", style="yellow", markup=False)
    for line in record.regressions:
        console.print(f"worse than the baseline: {line}", style="red", markup=False)
    for note in record.notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def _forms(record: BenchmarkRecord) -> Table:
    names = metric_names(record)[:2]
    where = f"{record.split}, {record.pictures} pictures" if names else "accuracy not measured"
    table = Table(title=f"{record.model} ({where})")
    table.add_column("form", overflow="fold")
    columns = [*names, "p50 ms", "p90", "p99", "network", "spread", "pictures/s"]
    columns += ["memory MB", "size MB", "start s"]
    for name in columns:
        table.add_column(name, justify="right")
    for row in record.rows:
        whole, (best, _) = row.end_to_end, best_throughput(row)
        table.add_row(
            row.label,
            *[_number(row.metrics.get(name), 4) for name in names],
            *[_number(value, 2) for value in (_part(whole, p) for p in ("p50", "p90", "p99"))],
            _number(_part(row.network, "p50"), 2),
            "" if whole is None else f"{whole.spread:.0%}",
            *[_number(best, 1), _number(row.memory_mb, 0), _number(row.bytes / 1e6, 1)],
            _number(row.start, 2),
            style=_style(row),
        )
    return table


def _throughput(record: BenchmarkRecord) -> Table:
    table = Table(title="pictures a second by batch size, end to end (network alone)")
    table.add_column("form", overflow="fold")
    sizes = sorted({one.batch for row in record.rows for one in row.throughput})
    for size in sizes:
        table.add_column(str(size), justify="right")
    for row in record.rows:
        cells = {one.batch: one for one in row.throughput}
        if not cells:
            continue
        texts = []
        for size in sizes:
            one = cells.get(size)
            if one is None or one.pictures is None:
                texts.append("can't" if one is not None else "")
            else:
                texts.append(f"{one.pictures:.1f} ({_number(one.network_pictures, 1)})")
        table.add_row(row.label, *texts, style=_style(row))
    return table


def _style(row: Row) -> str:
    if row.baseline:
        return "dim"
    if row.regressions:
        return "red"
    return "yellow" if row.problem else ""


def _part(latency: Latency | None, name: str) -> float | None:
    return None if latency is None else float(getattr(latency, name))


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
