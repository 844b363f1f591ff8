"""Plots and pictures of a design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from models.images import Image
from models.ocr.design.designing import Design
from models.ocr.design.measuring import Measured
from models.ocr.design.recommending import objections
from models.ocr.design.survey import Survey, counted

_ZOOM = 4
_STEP, _SEEN, _REACH = (0, 150, 0), (220, 0, 0), (250, 160, 0)


def lengths_figure(found: Survey) -> Any:
    """Plot how many characters the texts have, and how many steps they need."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, values in (("characters", found.lengths), ("steps needed", found.steps)):
        counts = counted(values)
        figure.add_bar(name=name, x=list(counts), y=list(counts.values()))
    return figure.update_layout(barmode="group", xaxis_title="of a text", yaxis_title="lines")


def aspects_figure(found: Survey) -> Any:
    """Plot the lines' width by height."""
    import plotly.graph_objects as go

    counts, edges = np.histogram(found.aspects, 40)
    middle = ((edges[1:] + edges[:-1]) / 2).round(3)
    figure = go.Figure(go.Bar(x=middle, y=counts))
    return figure.update_layout(xaxis_title="width by height", yaxis_title="lines")


def networks_figure(made: Design) -> Any:
    """Plot the networks' time, or parameters, against what a step sees."""
    import plotly.graph_objects as go

    figure = go.Figure()
    groups = {
        "recommended": [one for one in made.measured if one is made.recommended],
        "fits": [o for o in made.measured if o is not made.recommended and _fits(o, made)],
        "doesn't fit": [one for one in made.measured if not _fits(one, made)],
    }
    timed = all(one.milliseconds is not None for one in made.measured)
    for name, group in groups.items():
        figure.add_scatter(
            name=name,
            x=[one.milliseconds if timed else one.parameters for one in group],
            y=[one.characters for one in group],
            text=[f"{one.title}, {one.options.height}x{one.options.width}" for one in group],
            mode="markers",
        )
    return figure.update_layout(
        xaxis_title="ms a line" if timed else "million parameters",
        yaxis_title="characters that a step sees",
    )


def _fits(one: Measured, made: Design) -> bool:
    return not objections(one, made.found)


def table_figure(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Any:
    """Show a table, where there is nothing else to show one with."""
    import plotly.graph_objects as go

    cells = [[row[place] for row in rows] for place in range(len(columns))]
    return go.Figure(go.Table(header={"values": list(columns)}, cells={"values": cells}))


def line_picture(one: Measured, line: Image, stretch: bool = False) -> Image:
    """Draw a line as the network gets it, with its steps, and what the middle one sees.

    Args:
        one: the network.
        line: RGB, shape (height, width, 3).
        stretch: whether it fills the input.

    Returns:
        The input, enlarged: steps in green, what the convolutions under the middle step of the line
        see at all in orange, where 95 % of that comes from in red.
    """
    size = one.options
    height, width = line.shape[:2]
    wide = max(1, min(size.width, round(width * size.height / height)))
    wide = size.width if stretch else wide
    canvas = Pillow.new("RGB", (size.width * _ZOOM, size.height * _ZOOM), (128, 128, 128))
    fitted = Pillow.fromarray(line).resize((wide, size.height), Pillow.Resampling.BILINEAR)
    shown = fitted.resize((wide * _ZOOM, size.height * _ZOOM), Pillow.Resampling.NEAREST)
    canvas.paste(shown, (0, 0))
    draw = ImageDraw.Draw(canvas)
    stride = one.sizes.stride * _ZOOM
    for x in range(0, canvas.width, stride):
        draw.line((x, 0, x, canvas.height), fill=_STEP)
    centre = (wide // 2 // one.sizes.stride + 0.5) * one.sizes.stride
    for (tall, broad), colour in ((one.reach, _REACH), (one.sees, _SEEN)):
        x0, x1 = (np.clip([centre - broad / 2, centre + broad / 2], 0, size.width - 1)).tolist()
        y0 = max(0.0, (size.height - tall) / 2)
        frame = (x0 * _ZOOM, y0 * _ZOOM, x1 * _ZOOM, (size.height - y0) * _ZOOM - 1)
        draw.rectangle(frame, outline=colour, width=3)
    return np.asarray(canvas, np.uint8)
