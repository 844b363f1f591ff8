"""Plots of what readings are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.ocr.metrics.coverage import Chosen, CoverageCurve
from models.ocr.metrics.edits import NOTHING
from models.ocr.metrics.figures import confusion_table

_MOST = 60
"""Characters in a plot of confusions, those that are mistaken most often."""


def coverage_figure(curve: CoverageCurve, chosen: Chosen | None, split: str) -> Any:
    """Plot precision over coverage; each point tells its threshold."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=curve.coverage.tolist(),
        y=curve.precision.tolist(),
        text=[f"threshold {value:.4f}" for value in curve.thresholds.tolist()],
        name="precision",
        mode="lines",
    )
    if chosen is not None:
        figure.add_scatter(
            x=[chosen.coverage],
            y=[chosen.precision],
            name=f"threshold {chosen.threshold:.4f}",
            mode="markers",
            marker={"size": 10},
        )
    figure.update_layout(
        title=f"{split}: precision of what is accepted",
        xaxis_title="share of lines accepted",
        yaxis_title="share of them right",
    )
    return figure


def length_figure(rows: Sequence[dict[str, Any]]) -> Any:
    """Plot exact match by length of the true text, with the number of lines."""
    import plotly.graph_objects as go

    lengths = [row["characters"] for row in rows]
    figure = go.Figure()
    figure.add_bar(
        x=lengths,
        y=[row["exact_match"] for row in rows],
        text=[f"{row['lines']} lines" for row in rows],
        name="exact match",
    )
    figure.update_layout(xaxis_title="characters", yaxis_title="exact match", yaxis_range=[0, 1])
    return figure


def confusion_figure(truths: Sequence[str], texts: Sequence[str]) -> Any:
    """Plot what was read as what; right readings are left out, so that mistakes show."""
    import numpy as np
    import plotly.graph_objects as go

    letters, table = confusion_table(truths, texts)
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    kept = np.arange(len(letters))
    if len(letters) > _MOST:
        much = wrong.sum(axis=0) + wrong.sum(axis=1)
        kept = np.sort(np.argsort(-much, kind="stable")[:_MOST])
    # A digit alone would be taken for a number.
    names = [f"'{letters[place]}'" if letters[place] != NOTHING else "nothing" for place in kept]
    figure = go.Figure(
        go.Heatmap(z=wrong[np.ix_(kept, kept)].tolist(), x=names, y=names, colorscale="Reds")
    )
    figure.update_layout(
        title="mistaken characters",
        xaxis_title="read",
        yaxis_title="true",
        xaxis_type="category",
        yaxis_type="category",
        yaxis_autorange="reversed",
    )
    return figure
