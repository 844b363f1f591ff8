"""Figures about a classification dataset, and plots of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.classification.data.annotations import Checked
from models.data.statistics import picture_figures
from models.reporting import Reporter

UNEVEN = 10.0
"""So many times as many pictures of one class as of another are worth a warning."""
FEW = 20
"""Fewer training pictures of a class are worth a warning."""


def describe(splits: Mapping[str, Sequence[Checked]], classes: Sequence[str]) -> dict[str, Any]:
    """JSON-able figures by split; `imbalance` is the largest class by the smallest."""
    return {split: _describe_split(pictures, classes) for split, pictures in splits.items()}


def _describe_split(pictures: Sequence[Checked], classes: Sequence[str]) -> dict[str, Any]:
    counts = np.zeros(len(classes), np.int64)
    for one in pictures:
        counts[list(one.picture.labels)] += 1
    some = counts[counts > 0]
    return {
        "pictures": len(pictures),
        "unlabelled": sum(not one.picture.labels for one in pictures),
        "classes": {name: {"pictures": int(counts[i])} for i, name in enumerate(classes)},
        "imbalance": round(float(some.max() / some.min()), 3) if some.size else 0.0,
        **picture_figures(pictures),
    }


def report(classes: Sequence[str], statistics: Mapping[str, Any], reporter: Reporter) -> None:
    """Report the figures as tables and a plot, and warn of what makes learning hard."""
    rows = [
        [split, *(one[key] for key in ("pictures", "unlabelled", "imbalance", "duplicates"))]
        for split, one in statistics.items()
    ]
    columns = ["split", "pictures", "unlabelled", "imbalance", "duplicates"]
    reporter.table("Dataset", "splits", columns, rows)
    by_class = [[name, *(_count(one, name) for one in statistics.values())] for name in classes]
    reporter.table("Dataset", "pictures by class", ["class", *statistics], by_class)
    reporter.figure("Dataset", "pictures by class", _plot(classes, statistics))
    train = statistics.get("train")
    if not train or not train["pictures"]:
        return
    counts = {name: _count(train, name) for name in classes}
    missing = [name for name, count in counts.items() if not count]
    if missing:
        reporter.log(f"warning: train has no picture of {', '.join(missing)}: it can't be learned")
    few = [f"{name} ({count})" for name, count in counts.items() if 0 < count < FEW]
    if few:
        reporter.log(f"warning: train has very few pictures of {', '.join(few)}")
    if train["imbalance"] >= UNEVEN:
        least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        reporter.log(
            f"warning: train has {train['imbalance']:g} times as many pictures of {most} as of "
            f"{least}: macro F1 says more than accuracy, and train's balance or class_weights help"
        )


def _count(figures: Mapping[str, Any], name: str) -> int:
    return int(figures["classes"][name]["pictures"])


def _plot(classes: Sequence[str], statistics: Mapping[str, Any]) -> Any:
    import plotly.graph_objects as go

    bars = [
        go.Bar(name=split, x=list(classes), y=[_count(one, name) for name in classes])
        for split, one in statistics.items()
    ]
    return go.Figure(bars).update_layout(
        # Names such as 0, 1, 2 would make it an axis of numbers, without the other classes.
        barmode="group",
        xaxis={"title": "class", "type": "category"},
        yaxis_title="pictures",
    )
