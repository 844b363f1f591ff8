"""Interactive plots of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.metrics.report import Report
from models.detection.metrics.scores import scores_at, threshold_curves

_POINTS = 400
"""Points of a curve at most: no screen shows more."""


def figures(report: Report) -> list[tuple[str, str, Any]]:
    """Draw a report.

    Returns:
        Title, series and `plotly.graph_objects.Figure` of each plot.
    """
    return [
        ("figures over IoU", "at the threshold", over_iou(report)),
        ("figures over threshold", "all classes", over_threshold(report)),
        ("F1 over threshold", "by class", f1_by_class(report)),
        ("precision and recall", "by class, IoU 0.5", precision_recall(report)),
        ("confusion", "at the threshold", confusion(report)),
        ("errors", "cost by kind", errors(report)),
        ("calibration", "precision over confidence", reliability(report)),
    ]


def over_iou(report: Report) -> Any:
    """Precision, recall, F1 at the threshold, and mean IoU, over the IoU limits."""
    import plotly.graph_objects as go

    figure = go.Figure()
    ious = list(report.matches.ious)
    for name in ("precision", "recall", "f1", "iou"):
        values = [_plain(getattr(scores, name)) for scores in report.by_iou]
        figure.add_scatter(x=ious, y=values, name=name, mode="lines+markers")
    return _axes(figure, "IoU", report.limits)


def over_threshold(report: Report) -> Any:
    """Precision, recall and F1 of all classes over the threshold."""
    import plotly.graph_objects as go

    figure = go.Figure()
    curves = threshold_curves(report.matches)
    kept = _spread(len(curves.thresholds))
    for name in ("precision", "recall", "f1"):
        values: NDArray[np.float64] = getattr(curves, name)
        figure.add_scatter(
            x=curves.thresholds[kept].tolist(), y=values[kept].tolist(), name=name, mode="lines"
        )
    figure.add_vline(x=report.threshold, line_dash="dot", annotation_text="threshold")
    return _axes(figure, "threshold", f"at IoU {report.matches.ious[0]:g}")


def f1_by_class(report: Report) -> Any:
    """F1 of each class over the threshold."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for label, name in enumerate(report.classes):
        curves = threshold_curves(report.class_matches, label=label)
        kept = _spread(len(curves.thresholds))
        figure.add_scatter(
            x=curves.thresholds[kept].tolist(),
            y=curves.f1[kept].tolist(),
            name=name,
            mode="lines",
            legendgroup=name,
        )
        limit = float(report.thresholds[label])
        figure.add_scatter(
            x=[limit],
            y=[_plain(scores_at(report.class_matches, limit, label=label).f1)],
            name=f"{name} at its threshold",
            mode="markers",
            legendgroup=name,
            showlegend=False,
        )
    return _axes(figure, "threshold", f"at IoU {report.matches.ious[0]:g}")


def precision_recall(report: Report) -> Any:
    """COCO's precision over recall at IoU 0.5, and the point where the threshold puts a class.

    Without 0.5 among the report's IoUs there are no points: those of another lie off the curves.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    ious = report.class_matches.ious
    half = ious.index(0.5) if 0.5 in ious else None
    recall = np.linspace(0.0, 1.0, 101).tolist()
    for label, name in enumerate(report.classes):
        precision = report.coco.precision50[:, label]
        if np.isnan(precision).all():
            continue
        figure.add_scatter(
            x=recall,
            y=precision.tolist(),
            name=f"{name}, AP {report.coco.ap50[label]:.3f}",
            mode="lines",
            legendgroup=name,
        )
        if half is None:
            continue
        scores = scores_at(report.class_matches, report.thresholds, half, label)
        figure.add_scatter(
            x=[_plain(scores.recall)],
            y=[_plain(scores.precision)],
            name=f"{name} at the threshold",
            mode="markers",
            legendgroup=name,
            showlegend=False,
        )
    return _axes(figure, "recall", "precision")


def confusion(report: Report) -> Any:
    """Confusion matrix, background included."""
    import plotly.graph_objects as go

    names = [*report.classes, "background"]
    matrix = report.confusion
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=shares.tolist(),
            x=names,
            y=names,
            text=matrix.tolist(),
            texttemplate="%{text}" if len(names) <= 30 else None,
            zmin=0.0,
            zmax=1.0,
            colorscale="Blues",
            colorbar={"title": "share of row"},
        )
    )
    figure.update_layout(
        xaxis_title="said",
        yaxis_title="true",
        yaxis_autorange="reversed",
        # Classes named 0, 1, 2 would make axes of numbers, on which background has no place.
        xaxis_type="category",
        yaxis_type="category",
        title=f"{report.limits}, IoU {report.matches.ious[0]:g}",
    )
    return figure


def errors(report: Report) -> Any:
    """What AP would gain without each kind of error, and how often each occurs."""
    import plotly.graph_objects as go

    rows = report.error_rows()
    figure = go.Figure(
        go.Bar(
            x=[row["error"] for row in rows],
            y=[row["dAP"] for row in rows],
            text=[str(row["count"]) for row in rows],
        )
    )
    title = f"AP at IoU {report.matches.ious[0]:g} gained without; numbers are counts"
    figure.update_layout(title=title, yaxis_title="dAP")
    return figure


def reliability(report: Report) -> Any:
    """Precision over confidence: on the diagonal a confidence is what it says."""
    import plotly.graph_objects as go

    rows = report.calibration_rows()
    figure = go.Figure()
    figure.add_bar(
        x=[(row["from"] + row["to"]) / 2 for row in rows],
        y=[row["precision"] for row in rows],
        width=[row["to"] - row["from"] for row in rows],
        text=[str(row["detections"]) for row in rows],
        name="precision",
    )
    figure.add_scatter(
        x=[row["confidence"] for row in rows],
        y=[row["confidence"] for row in rows],
        name="confidence",
        mode="lines+markers",
    )
    error = _plain(report.calibration.error)
    said = "" if error is None else f", calibration error {error:.3f}"
    return _axes(figure, "confidence", f"at IoU {report.matches.ious[0]:g}{said}")


def _axes(figure: Any, x: str, title: str) -> Any:
    figure.update_layout(title=title, xaxis_title=x, hovermode="x unified")
    figure.update_xaxes(range=[0.0, 1.0])
    figure.update_yaxes(range=[0.0, 1.02])
    return figure


def _spread(count: int) -> NDArray[np.int64]:
    """Choose evenly spread indices, the first and the last among them."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, _POINTS)).astype(np.int64))


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
