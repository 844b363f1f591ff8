"""What is worse than in the baseline, beyond the noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from models.benchmark.options import BenchmarkOptions
from models.benchmark.record import BenchmarkRecord, Row
from models.bootstrap import interval

_CONFIDENCE = 0.95


def mark_regressions(
    record: BenchmarkRecord, earlier: BenchmarkRecord, options: BenchmarkOptions
) -> BenchmarkRecord:
    """Mark each form that lost accuracy or got slower.

    Accuracy is compared on the same pictures only, latency on the same hardware and settings only;
    a note says what could not be compared.

    Args:
        record: with the model's rows.
        earlier: with the baseline's; it may be the same record, if both were measured together.
        options: give the tolerances.
    """
    together = earlier is record
    theirs = [row for row in earlier.rows if row.baseline == together]
    notes = list(record.notes)
    pictures = together or _same_pictures(record, earlier)
    if not pictures:
        notes.append("accuracy isn't compared: the baseline was measured on other pictures")
    hinder = [] if together else _hindrances(record, earlier)
    if hinder:
        notes.append(
            f"latency isn't compared: the baseline was measured with another {', '.join(hinder)}"
        )
    rows = []
    for row in record.rows:
        if row.baseline:
            rows.append(row)
            continue
        other = _counterpart(row, theirs)
        if other is None:
            notes.append(f"{row.label}: the baseline has no such form")
            rows.append(row)
            continue
        lines = lost_accuracy(row, other, record.metric, options) if pictures else []
        if not hinder:
            lines += _slower(row, other, options)
        if row.problem and not other.problem:
            lines.append(f"the baseline's could be measured: {row.problem}")
        rows.append(row.model_copy(update={"regressions": tuple(lines)}))
    return record.model_copy(update={"rows": tuple(rows), "notes": tuple(notes)})


def compared_rows(
    record: BenchmarkRecord, earlier: BenchmarkRecord, together: bool
) -> Iterator[tuple[Row, Row]]:
    """Pair each form of a model with the baseline's same form.

    Args:
        record: with the model's rows.
        earlier: with the baseline's.
        together: whether both were measured together, in one record.
    """
    theirs = [row for row in earlier.rows if row.baseline == together]
    for row in record.own:
        if (other := _counterpart(row, theirs)) is not None:
            yield row, other


def hindrances(
    record: BenchmarkRecord, earlier: BenchmarkRecord, latency: bool = True
) -> Sequence[str]:
    """Say why two records can't be compared; empty if they can.

    Args:
        record: of a model.
        earlier: of another.
        latency: whether latencies are to be compared too.
    """
    if record is earlier:
        return []
    found = [] if _same_pictures(record, earlier) else ["it was measured on other pictures"]
    if latency and (names := _hindrances(record, earlier)):
        found.append(f"it was measured with another {', '.join(names)}")
    return found


def _same_pictures(record: BenchmarkRecord, earlier: BenchmarkRecord) -> bool:
    def of(one: BenchmarkRecord) -> tuple[str, str, int, str]:
        return one.dataset_hash, one.split, one.pictures, one.metric

    return of(record) == of(earlier)


def _hindrances(record: BenchmarkRecord, earlier: BenchmarkRecord) -> list[str]:
    found = record.hardware.differences(earlier.hardware)
    found += [n for n in ("threads", "device") if getattr(record, n) != getattr(earlier, n)]
    # Latency end to end depends on the pictures' sizes too.
    return found + (["dataset"] if record.dataset_hash != earlier.dataset_hash else [])


def _counterpart(row: Row, others: list[Row]) -> Row | None:
    """Find the same form: by file name, else by format and precision."""
    likely = [
        other
        for other in others
        if (other.runtime, other.variant, other.format, other.precision)
        == (row.runtime, row.variant, row.format, row.precision)
    ]
    named = [other for other in likely if other.file == row.file]
    return next(iter(named or likely), None)


def lost_accuracy(row: Row, other: Row, metric: str, options: BenchmarkOptions) -> list[str]:
    """Say, in no line or one, that a form lost more accuracy than is tolerated, beyond noise."""
    if metric not in row.metrics or metric not in other.metrics:
        return []
    now, before = row.metrics[metric], other.metrics[metric]
    if before - now <= options.metric_tolerance:
        return []
    line = f"{metric} {now:.4f}, the baseline {before:.4f}: {before - now:.4f} less"
    ends = _interval(row, other) if options.resamples else None
    if ends is None:
        return [f"{line} (tolerance {options.metric_tolerance:g})"]
    low, high = ends
    return [f"{line} (95 %: {low:.4f} to {high:.4f})"] if low > 0 else []


def _interval(row: Row, other: Row) -> tuple[float, float] | None:
    """Give the interval of the loss, if both were measured on the same resamples."""
    if len(row.resampled) != len(other.resampled):
        return None
    pairs = zip(other.resampled, row.resampled, strict=True)
    drops = [before - now for before, now in pairs if before is not None and now is not None]
    return interval(np.array(drops), _CONFIDENCE) if drops else None


def _slower(row: Row, other: Row, options: BenchmarkOptions) -> list[str]:
    found = []
    for name, now, before in (
        ("end to end", row.end_to_end, other.end_to_end),
        ("network", row.network, other.network),
    ):
        if now is None or before is None:
            continue
        rise = now.p50 / before.p50 - 1
        # One round on a busy machine is no regression.
        if rise > options.latency_tolerance and min(now.rounds) > max(before.rounds):
            found.append(
                f"{name} {now.p50:.2f} ms, the baseline {before.p50:.2f} ms: {rise:.0%} slower "
                f"(tolerance {options.latency_tolerance:.0%})"
            )
    return found
