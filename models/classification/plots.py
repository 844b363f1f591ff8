"""Interactive plots of a classifier's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classification.labels import Labels
from models.classification.metrics.calibration import Reliability
from models.classification.metrics.coverage import RiskCoverage

_POINTS = 200
"""Of a curve at most."""
_CURVES = 20
"""Classes that have a curve of their own, those with the least average precision."""


def confusion(table: NDArray[np.int64], classes: Sequence[str]) -> Any:
    """Show counts by true class (down) and class said (across), coloured by share of the row."""
    import plotly.graph_objects as go

    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=share.round(4),
            x=list(classes),
            y=list(classes),
            text=table,
            texttemplate="%{text}" if len(classes) <= 30 else None,
            colorscale="Blues",
            zmin=0,
            zmax=1,
        )
    )
    return figure.update_layout(
        xaxis_title="said",
        yaxis_title="true",
        yaxis_autorange="reversed",
        xaxis_type="category",
        yaxis_type="category",
    )


def reliability(bins: Reliability) -> Any:
    """Show accuracy over confidence; the dotted line is where both are equal."""
    import plotly.graph_objects as go

    there = bins.counts > 0
    figure = go.Figure(
        go.Bar(
            x=bins.confidence[there].round(4),
            y=bins.accuracy[there].round(4),
            width=0.9 / len(bins.counts),
            text=bins.counts[there],
            name="accuracy",
        )
    )
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line_dash="dot", name="perfect")
    return figure.update_layout(
        title=f"expected calibration error {bins.error:.4f}",
        xaxis_title="confidence",
        yaxis_title="share that is right",
        xaxis_range=[0, 1],
        yaxis_range=[0, 1],
    )


def risk_coverage(curve: RiskCoverage, threshold: float) -> Any:
    """Show the share of mistakes over the share of pictures that get a name."""
    import plotly.graph_objects as go

    keep = np.unique(np.linspace(0, len(curve.risk) - 1, _POINTS).round().astype(int))
    figure = go.Figure(
        go.Scatter(
            x=curve.coverage[keep].round(5),
            y=curve.risk[keep].round(5),
            text=[f"threshold {value:.4f}" for value in curve.thresholds[keep]],
            mode="lines",
            name="risk",
        )
    )
    named = int((curve.thresholds >= threshold).sum())
    at = float(curve.coverage[named - 1]) if named else 0.0
    figure.add_vline(x=at, line_dash="dot", annotation_text=f"threshold {threshold:.3f}")
    return figure.update_layout(
        title=f"area {curve.area:.5f}",
        xaxis_title="coverage: share of pictures that get a name",
        yaxis_title="risk: share of mistakes among them",
        hovermode="x unified",
    )


def risk_chart(curve: RiskCoverage) -> dict[str, Any]:
    """Describe the risk-coverage curve for the model's card."""
    keep = np.unique(np.linspace(0, len(curve.risk) - 1, 60).round().astype(int))
    return {
        "title": "Mistakes among the pictures that get a name",
        "x": "coverage",
        "y": "risk",
        "at": curve.coverage[keep].round(4).tolist(),
        "lines": {"risk": curve.risk[keep].round(4).tolist()},
    }


def reliability_chart(bins: Reliability) -> dict[str, Any]:
    """Describe accuracy over confidence for the model's card."""
    there = bins.counts > 0
    at = bins.confidence[there].round(4).tolist()
    return {
        "title": "Calibration",
        "x": "confidence",
        "y": "share that is right",
        "at": at,
        "lines": {"measured": bins.accuracy[there].round(4).tolist(), "perfect": at},
    }


def precision_recall(scores: NDArray[np.float32], labels: Labels) -> Any:
    """Show precision over recall of each class."""
    import plotly.graph_objects as go

    from models.classification.metrics.figures import average_precision

    figure = go.Figure()
    each = [average_precision(scores[:, i], labels.truth[:, i]) for i in range(scores.shape[1])]
    worst = [i for i in np.argsort(np.nan_to_num(each, nan=2.0)).tolist() if np.isfinite(each[i])]
    for index in sorted(worst[:_CURVES]):
        truth = labels.truth[np.argsort(-scores[:, index], kind="stable"), index]
        hits = np.cumsum(truth)
        keep = np.unique(np.linspace(0, len(truth) - 1, _POINTS).round().astype(int))
        figure.add_scatter(
            x=(hits[keep] / hits[-1]).round(4),
            y=(hits[keep] / (keep + 1)).round(4),
            mode="lines",
            name=f"{labels.classes[index]} ({each[index]:.3f})",
        )
    return figure.update_layout(
        xaxis_title="recall", yaxis_title="precision", yaxis_range=[0, 1.02]
    )


def feature_map(features: NDArray[np.float32], names: Sequence[str], files: Sequence[str]) -> Any:
    """Show features in the plane: what lies close together looks alike to the network.

    t-SNE (van der Maaten and Hinton, 2008) on the first 50 principal components.
    """
    import plotly.graph_objects as go
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = min(50, *features.shape)
    reduced = PCA(count, random_state=0).fit_transform(np.nan_to_num(features))
    perplexity = min(30.0, max(2.0, (len(reduced) - 1) / 3))
    places = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(reduced)
    figure = go.Figure()
    for name in sorted(set(names)):
        mine = [i for i, other in enumerate(names) if other == name]
        figure.add_scatter(
            x=places[mine, 0].round(2),
            y=places[mine, 1].round(2),
            text=[files[i] for i in mine],
            mode="markers",
            marker_size=5,
            name=name,
        )
    return figure.update_layout(xaxis_visible=False, yaxis_visible=False)
