"""Whether a model's forms stand what a user asks of them."""

from __future__ import annotations

from collections.abc import Sequence

from models.benchmark.options import BenchmarkOptions, GateOptions
from models.benchmark.record import BenchmarkRecord, Row


def check(gate: GateOptions, options: BenchmarkOptions) -> None:
    """Refuse what can't be judged before minutes go into measuring it.

    Raises:
        ValueError: the gate asks for accuracy, and none is measured.
    """
    if gate.minimum is not None and not options.metric_pictures:
        raise ValueError(
            f"a least accuracy of {gate.minimum:g} is asked for, and accuracy isn't measured on 0 "
            f"pictures"
        )


def judge(gate: GateOptions, record: BenchmarkRecord) -> tuple[bool, str]:
    """Tell whether a model passes, and say why with the figures.

    Raises:
        ValueError: the gate asks for a figure that no form has.
    """
    # What can't run here is no form that could be chosen.
    rows = [row for row in record.own if row.end_to_end is not None]
    if not rows:
        why = "; ".join(f"{row.label}: {row.problem}" for row in record.own)
        return False, f"no form of the model could be measured here: {why}"
    if gate.regressions and record.regressions:
        return False, "worse than the baseline: " + "; ".join(record.regressions)
    limits = [gate.minimum, gate.latency, gate.size]
    if all(limit is None for limit in limits):
        return True, "no limit was set" + (", nothing is worse" if gate.regressions else "")
    metric = gate.metric or record.metric
    known = list(dict.fromkeys(name for row in record.own for name in row.metrics))
    if gate.minimum is not None and metric not in known:
        there = ", ".join(known) or "none, since no accuracy was measured"
        raise ValueError(f"gate.metric: no figure '{metric}'; there are: {there}")
    shortfalls = {row.label: _shortfalls(row, gate, metric) for row in rows}
    good = [label for label, lines in shortfalls.items() if not lines]
    passed = len(good) == len(rows) if gate.need == "all" else bool(good)
    if passed:
        which = "every form" if len(good) == len(rows) else "; ".join(good)
        return True, f"the gate is passed by {which}"
    asked = "every form must stand it" if gate.need == "all" else "no form stands it"
    lines = [f"{label}: {', '.join(short)}" for label, short in shortfalls.items() if short]
    return False, f"the model doesn't pass the gate ({asked}): {'; '.join(lines)}"


def _shortfalls(row: Row, gate: GateOptions, metric: str) -> Sequence[str]:
    found = []
    if gate.minimum is not None:
        value = row.metrics.get(metric)
        if value is None:
            found.append(f"{metric} wasn't measured")
        elif not value >= gate.minimum:
            found.append(f"{metric} {value:.4f} < {gate.minimum:g}")
    if gate.latency is not None:
        assert row.end_to_end is not None
        time: float = getattr(row.end_to_end, gate.percentile)
        if not time <= gate.latency:
            found.append(f"{gate.percentile} {time:.2f} ms > {gate.latency:g} ms")
    if gate.size is not None and row.bytes / 1e6 > gate.size:
        found.append(f"{row.bytes / 1e6:.2f} MB > {gate.size:g} MB")
    return found
