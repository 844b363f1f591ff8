"""A benchmark on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from models.benchmark.record import BenchmarkRecord, Latency, Row
from models.benchmark.tables import best_throughput, metric_names

_LEAVE_FIRST = ("start s", "spread", "p90", "memory MB", "p99", "size MB", "pictures/s")
"""Columns that a narrow window goes without, in this order."""
_NAME = 24
"""Characters of a form's name that must fit in a line; longer ones are folded."""


def show(record: BenchmarkRecord, console: Console | None = None) -> None:
    """Print the figures of all forms, and what to know about them."""
    console = console or Console()
    forms = _forms(record)
    if not console.is_terminal:
        # A file or another program has no width to fit into.
        console.width = max(console.width, _width(console, forms, 10_000))
    hidden = []
    for name in _LEAVE_FIRST:
        if _width(console, forms) <= console.width:
            break
        hidden.append(name)
        forms = _forms(record, hidden)
    machine = record.hardware
    gpus = "".join(f", {gpu}" for gpu in machine.gpus)
    console.print(
        f"{machine.cpu}, {machine.usable:g} cores, {machine.memory_gb:g} GB{gpus}; "
        f"{' '.join(machine.flags)}",
        style="dim",
        highlight=False,
        markup=False,
    )
    console.print(forms)
    if hidden:
        console.print(
            f"a wider window shows more, --output all: {', '.join(hidden)}",
            style="dim",
            highlight=False,
        )
    if any(row.throughput for row in record.rows):
        console.print(_throughput(record))
    for row in record.rows:
        if row.problem:
            console.print(f"{row.label}: {row.problem}", style="yellow", markup=False)
    for line in record.regressions:
        console.print(f"worse than the baseline: {line}", style="red", markup=False)
    for note in record.notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def _width(console: Console, table: Table, name: int = _NAME) -> int:
    """Columns of a terminal that a table needs; names of forms may be folded to so many."""
    needed = Measurement.get(console, console.options.update(width=10_000), table).maximum
    longest = max((len(str(cell)) for cell in table.columns[0].cells), default=0)
    return needed - max(0, longest - name)


def _forms(record: BenchmarkRecord, hidden: Sequence[str] = ()) -> Table:
    names = metric_names(record)[:2]
    where = f"{record.split}, {record.pictures} pictures" if names else "accuracy not measured"
    table = Table(title=f"{record.model} ({where})")
    table.add_column("form", overflow="fold")
    columns = [*names, "p50 ms", "p90", "p99", "network", "spread", "pictures/s"]
    columns += ["memory MB", "size MB", "start s"]
    kept = [place for place, name in enumerate(columns) if name not in hidden]
    for place in kept:
        table.add_column(columns[place], justify="right", no_wrap=True)
    for row in record.rows:
        whole, (best, _) = row.end_to_end, best_throughput(row)
        cells = [
            *[_number(row.metrics.get(name), 4) for name in names],
            *[_number(value, 2) for value in (_part(whole, p) for p in ("p50", "p90", "p99"))],
            _number(_part(row.network, "p50"), 2),
            "" if whole is None else f"{whole.spread:.0%}",
            *[_number(best, 1), _number(row.memory_mb, 0), _number(row.bytes / 1e6, 1)],
            _number(row.start, 2),
        ]
        table.add_row(row.label, *(cells[place] for place in kept), style=_style(row))
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
