"""Figures about a detection dataset, and plots of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.statistics import picture_figures, spread
from models.detection.data.annotations import Checked
from models.reporting import Reporter

# COCO's limits between small, medium and large, pixels squared.
_SMALL, _LARGE = 32**2, 96**2
INPUT = 640
"""Longest side in pixels that pictures are thought to be fitted to when objects are called tiny."""
TINY = 8
"""Pixels: an object whose shorter side is less covers not one place of the finest feature map of
most detectors (stride 8)."""


def describe(splits: Mapping[str, Sequence[Checked]], classes: Sequence[str]) -> dict[str, Any]:
    """JSON-able figures by split.

    `relative_size` is the square root of a box's share of its picture's area, `aspect` its width
    by its height; `small`, `medium`, `large` count boxes by COCO's limits of 32 and 96 pixels
    squared, at the pictures' own size.
    """
    return {split: _describe_split(pictures, classes) for split, pictures in splits.items()}


def _describe_split(pictures: Sequence[Checked], classes: Sequence[str]) -> dict[str, Any]:
    boxes, labels, frame = gather(pictures)
    per_picture = np.array([len(one.picture.boxes) for one in pictures], np.int64)
    sides = boxes[:, 2:] - boxes[:, :2]
    area = sides.prod(axis=1)
    counts = np.bincount(labels, minlength=len(classes))
    small = tiny(boxes, frame)
    holding = np.zeros(len(classes), np.int64)
    for one in pictures:
        holding[np.unique(one.picture.labels)] += 1
    return {
        "pictures": len(pictures),
        "empty": int((per_picture == 0).sum()),
        "boxes": len(boxes),
        "classes": {
            name: {"boxes": int(counts[i]), "pictures": int(holding[i])}
            for i, name in enumerate(classes)
        },
        "boxes_per_picture": spread(per_picture.astype(np.float64), mean=True),
        "relative_size": spread(np.sqrt(area / frame.prod(axis=1))),
        "aspect": spread(sides[:, 0] / sides[:, 1]),
        "small": int((area < _SMALL).sum()),
        "medium": int(((area >= _SMALL) & (area < _LARGE)).sum()),
        "large": int((area >= _LARGE).sum()),
        "tiny": int(small.sum()),
        "tiny_by_class": {name: int(small[labels == i].sum()) for i, name in enumerate(classes)},
        **picture_figures(pictures),
    }


def tiny(boxes: NDArray[np.float64], frame: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which boxes (N, 4) are shorter than 8 pixels once their pictures are fitted to 640.

    Args:
        boxes: pixels of their pictures.
        frame: width and height of the picture of each, (N, 2).
    """
    shorter = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
    found: NDArray[np.bool_] = shorter * INPUT / frame.max(axis=1, initial=1) < TINY
    return found


def gather(
    pictures: Sequence[Checked],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """All boxes (N, 4), their class indices (N,) and the sizes of their pictures (N, 2)."""
    if not pictures:
        return np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros((0, 2))
    boxes = np.concatenate([one.picture.boxes for one in pictures])
    labels = np.concatenate([one.picture.labels for one in pictures])
    sizes = np.array([[one.facts.width, one.facts.height] for one in pictures], np.float64)
    return boxes, labels, np.repeat(sizes, [len(one.picture.boxes) for one in pictures], axis=0)


def report(
    splits: Mapping[str, Sequence[Checked]],
    classes: Sequence[str],
    statistics: Mapping[str, Any],
    reporter: Reporter,
) -> None:
    """Report the figures as tables and interactive plots."""
    rows = [
        [
            split,
            figures["pictures"],
            figures["empty"],
            figures["boxes"],
            *(figures[size] for size in ("tiny", "small", "medium", "large")),
            figures["duplicates"],
        ]
        for split, figures in statistics.items()
    ]
    columns = [
        "split",
        "pictures",
        "empty",
        "boxes",
        "tiny",
        "small",
        "medium",
        "large",
        "duplicates",
    ]
    reporter.table("Dataset", "splits", columns, rows)
    class_rows = [
        [name, *(figures["classes"][name]["boxes"] for figures in statistics.values())]
        for name in classes
    ]
    reporter.table("Dataset", "boxes by class", ["class", *statistics], class_rows)
    _tell_unseen(classes, statistics["train"]["classes"], reporter)
    _tell_tiny(statistics, reporter)
    for title, figure in figures_of(splits, classes, statistics).items():
        reporter.figure("Dataset", title, figure)


def _tell_unseen(
    classes: Sequence[str], train: Mapping[str, Mapping[str, int]], reporter: Reporter
) -> None:
    """Warn of classes that training never sees."""
    if unseen := [name for name in classes if not train[name]["boxes"]]:
        more = f" and {len(unseen) - 10} others" if len(unseen) > 10 else ""
        told = ", ".join(unseen[:10]) + more
        reporter.log(f"warning: train has no box of {told}: it can't be learned")


def _tell_tiny(statistics: Mapping[str, Any], reporter: Reporter) -> None:
    """Warn of objects that a network will hardly see, by class."""
    found: Counter[str] = Counter()
    for figures in statistics.values():
        found.update(figures["tiny_by_class"])
    boxes = sum(figures["boxes"] for figures in statistics.values())
    if count := found.total():
        told = ", ".join(f"{name} {number}" for name, number in found.most_common(5) if number)
        reporter.log(
            f"{count} of {boxes} boxes ({count / boxes:.1%}) are shorter than {TINY} pixels in "
            f"pictures fitted to {INPUT}: {told}; a larger network.image_size or more "
            f"network.levels finds more of them"
        )


def figures_of(
    splits: Mapping[str, Sequence[Checked]],
    classes: Sequence[str],
    statistics: Mapping[str, Any],
) -> dict[str, Any]:
    """Plots by title; they hold counts, not boxes, so they stay small for any dataset."""
    import plotly.graph_objects as go

    by_class = go.Figure(
        [
            go.Bar(
                name=split,
                x=list(classes),
                y=[figures["classes"][name]["boxes"] for name in classes],
            )
            for split, figures in statistics.items()
        ]
    ).update_layout(
        # Names such as 0, 1, 2 would make it an axis of numbers, without the other classes.
        barmode="group",
        xaxis={"title": "class", "type": "category"},
        yaxis_title="boxes",
    )

    size, aspect, per_picture = go.Figure(), go.Figure(), go.Figure()
    size_edges = np.linspace(0, 1, 41)
    aspect_edges = np.geomspace(1 / 8, 8, 41)
    for split, pictures in splits.items():
        boxes, labels, frame = gather(pictures)
        sides = boxes[:, 2:] - boxes[:, :2]
        relative = np.sqrt(sides.prod(axis=1) / frame.prod(axis=1))
        ratio = np.clip(sides[:, 0] / sides[:, 1], aspect_edges[0], aspect_edges[-1])
        for i, name in enumerate(classes):
            mine = labels == i
            trace = f"{split}: {name}"
            size.add_trace(_histogram(relative[mine], size_edges, trace))
            aspect.add_trace(_histogram(ratio[mine], aspect_edges, trace))
        counts = np.bincount([len(one.picture.boxes) for one in pictures] or [0])
        per_picture.add_trace(go.Bar(name=split, x=np.arange(len(counts)), y=counts))
    size.update_layout(
        xaxis_title="square root of the box's share of the picture", yaxis_title="boxes"
    )
    aspect.update_layout(xaxis_title="width by height", yaxis_title="boxes", xaxis_type="log")
    per_picture.update_layout(
        barmode="group", xaxis_title="boxes in a picture", yaxis_title="pictures"
    )
    return {
        "boxes by class": by_class,
        "box size": size,
        "box aspect": aspect,
        "boxes per picture": per_picture,
    }


def _histogram(values: NDArray[np.float64], edges: NDArray[np.float64], name: str) -> Any:
    import plotly.graph_objects as go

    counts, _ = np.histogram(values, edges)
    middle = (edges[1:] + edges[:-1]) / 2
    return go.Scatter(name=name, x=middle.round(4), y=counts, mode="lines", line_shape="hvh")
