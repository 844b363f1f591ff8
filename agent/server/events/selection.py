"""Which metrics and variants a request is about."""

from __future__ import annotations

Selection = dict[str, set[str]]
"""Metrics to look at, each with its variants; no variants means all. Empty means everything."""


def chosen(wanted: Selection | None, metric: str, variant: str) -> bool:
    """Whether a metric's variant is among those wanted."""
    return not wanted or (metric in wanted and (not wanted[metric] or variant in wanted[metric]))
