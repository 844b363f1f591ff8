"""A benchmark as plots."""

from __future__ import annotations

from typing import Any

from models.benchmark.record import BenchmarkRecord


def accuracy_plot(record: BenchmarkRecord) -> Any | None:
    """Draw accuracy against latency, a point for each form; None if nothing has both."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for row in record.rows:
        value = row.metrics.get(record.metric)
        if value is None or row.end_to_end is None:
            continue
        times = row.end_to_end
        figure.add_scatter(
            x=[times.p50],
            y=[value],
            error_x={
                "type": "data",
                "array": [times.p90 - times.p50],
                "symmetric": False,
            },
            mode="markers+text",
            name=row.label,
            text=[row.label],
            textposition="top center",
            marker={
                "size": 10,
                "symbol": "circle-open" if row.baseline else "x" if row.regressions else "circle",
            },
            hovertemplate=(
                f"{row.label}<br>{record.metric} %{{y:.4f}}<br>p50 {times.p50:.2f} ms, "
                f"p90 {times.p90:.2f} ms, p99 {times.p99:.2f} ms<br>{row.bytes / 1e6:.1f} MB"
                "<extra></extra>"
            ),
        )
    if not figure.data:
        return None
    figure.update_layout(
        title=f"{record.hardware.cpu}, {record.hardware.usable:g} cores",
        xaxis_title="ms from a picture in memory to results (median, whisker to p90)",
        yaxis_title=f"{record.metric} on {record.split}",
        xaxis_rangemode="tozero",
        showlegend=False,
    )
    return figure


def throughput_plot(record: BenchmarkRecord) -> Any | None:
    """Draw pictures a second by batch size, a line for each form; None if none was measured."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for row in record.rows:
        points = [(one.batch, one.pictures) for one in row.throughput if one.pictures is not None]
        if points:
            figure.add_scatter(
                x=[batch for batch, _ in points],
                y=[rate for _, rate in points],
                mode="lines+markers",
                name=row.label,
                line={"dash": "dot" if row.baseline else "solid"},
            )
    if not figure.data:
        return None
    figure.update_layout(
        title=f"{record.hardware.cpu}, {record.hardware.usable:g} cores",
        xaxis_title="batch size",
        yaxis_title="pictures a second, end to end",
        yaxis_rangemode="tozero",
        hovermode="x unified",
    )
    figure.update_xaxes(type="log", dtick=0.30103)
    return figure
