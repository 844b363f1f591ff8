"""Whether a model takes the title from the champion: the same pictures, the same machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.benchmark.options import BenchmarkOptions, PromotionOptions
from models.benchmark.record import BenchmarkRecord, Row
from models.benchmark.regressions import (
    compared_rows,
    hindrances,
    lost_accuracy,
    mark_regressions,
)


@dataclass(frozen=True)
class Verdict:
    """How a challenge ended."""

    promoted: bool
    why: str
    """In one line, with figures."""
    forms: tuple[dict[str, Any], ...] = ()
    """JSON-able rows, one for each form that both have: `form`, `metric`, `champion metric`, `ms`,
    `champion ms`, `worse`."""


def challenge(
    record: BenchmarkRecord, earlier: BenchmarkRecord, options: PromotionOptions
) -> Verdict:
    """Hold a model against the champion.

    Args:
        record: with the model's rows.
        earlier: with the champion's as its own; or the same record, if both were measured together.
        options: when the model wins.
    """
    asked = BenchmarkOptions(
        metric_tolerance=options.metric_tolerance,
        latency_tolerance=1e9 if options.latency_tolerance is None else options.latency_tolerance,
    )
    marked = mark_regressions(record, earlier, asked)
    pairs = list(compared_rows(marked, earlier, earlier is record))
    forms = tuple(_forms(pairs, record.metric))
    if found := hindrances(record, earlier, options.latency_tolerance is not None):
        return unmeasured("; ".join(found), options, forms)
    name = record.metric
    measured = [(a, b) for a, b in pairs if name in a.metrics and name in b.metrics]
    if not measured:
        return unmeasured("they have no form in common whose accuracy was measured", options, forms)
    worse = [f"{own.label}: {line}" for own, _ in pairs for line in own.regressions]
    if worse:
        return Verdict(False, f"worse than the champion: {'; '.join(worse)}", forms)
    said = "; ".join(
        f"{own.label}: {name} {own.metrics[name]:.4f}, the champion {other.metrics[name]:.4f}"
        for own, other in measured
    )
    if options.rule == "better":
        # A gain of the one is a loss of the other.
        if not any(lost_accuracy(other, own, name, asked) for own, other in measured):
            return Verdict(False, f"no better than the champion: {said}", forms)
        return Verdict(True, f"better than the champion: {said}", forms)
    return Verdict(True, f"not worse than the champion: {said}", forms)


def unmeasured(
    why: str, options: PromotionOptions, forms: tuple[dict[str, Any], ...] = ()
) -> Verdict:
    """Decide where the two can't be compared."""
    if options.unmeasured == "promote":
        why = f"not compared with the champion ({why}); promotion.unmeasured=promote"
        return Verdict(True, why, forms)
    return Verdict(False, f"not compared with the champion, which keeps the title: {why}", forms)


def _forms(pairs: list[tuple[Row, Row]], metric: str) -> Iterator[dict[str, Any]]:
    for own, other in pairs:
        yield {
            "form": own.label,
            "metric": own.metrics.get(metric),
            "champion metric": other.metrics.get(metric),
            "ms": own.end_to_end.p50 if own.end_to_end else None,
            "champion ms": other.end_to_end.p50 if other.end_to_end else None,
            "worse": "; ".join(own.regressions),
        }
