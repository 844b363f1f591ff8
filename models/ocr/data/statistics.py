"""Figures about an OCR dataset, and plots of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.data.statistics import picture_figures, spread
from models.ocr.data.texts import Checked
from models.ocr.sequence import steps_needed
from models.reporting import Reporter

_SHOWN_CHARACTERS = 100


def vocabulary_of(splits: Mapping[str, Sequence[Checked]]) -> list[str]:
    """Characters of all texts, ordered by code point."""
    return sorted(
        {letter for found in splits.values() for one in found for letter in one.picture.text}
    )


def describe(splits: Mapping[str, Sequence[Checked]]) -> dict[str, Any]:
    """JSON-able figures by split.

    `length` counts characters, `steps` what a CTC output needs (blanks between equal neighbours
    counted), `aspect` is width by height, `height` in pixels.
    """
    return {split: _describe(found) for split, found in splits.items()}


def _describe(found: Sequence[Checked]) -> dict[str, Any]:
    texts = [one.picture.text for one in found]
    width = np.array([one.facts.width for one in found], np.float64)
    height = np.array([one.facts.height for one in found], np.float64)
    characters = Counter(letter for text in texts for letter in text)
    lengths = Counter(map(len, texts))
    kinds = Counter(one.picture.symbology for one in found if one.picture.symbology)
    return {
        "lines": len(found),
        "texts": len(set(texts)),
        "characters": dict(sorted(characters.items())),
        "lengths": {str(length): lengths[length] for length in sorted(lengths)},
        "length": spread(np.array([len(text) for text in texts], np.float64), mean=True),
        "steps": spread(np.array([steps_needed(text) for text in texts], np.float64), mean=True),
        "aspect": spread(width / height),
        "height": spread(height),
        "symbologies": dict(sorted(kinds.items())),
        **picture_figures(found),
    }


def report(
    splits: Mapping[str, Sequence[Checked]], statistics: Mapping[str, Any], reporter: Reporter
) -> None:
    """Report the figures as tables and interactive plots."""
    rows = [
        [
            split,
            figures["lines"],
            figures["texts"],
            figures["length"].get("min", 0),
            figures["length"].get("max", 0),
            figures["steps"].get("max", 0),
            figures["aspect"].get("median", 0),
            figures["duplicates"],
        ]
        for split, figures in statistics.items()
    ]
    columns = ["split", "lines", "different texts", "shortest", "longest", "most steps", "aspect"]
    reporter.table("Dataset", "splits", [*columns, "duplicates"], rows)
    letters = Counter[str]()
    for figures in statistics.values():
        letters.update(figures["characters"])
    shown = [letter for letter, _ in letters.most_common(_SHOWN_CHARACTERS)]
    counts = [
        [letter, *(figures["characters"].get(letter, 0) for figures in statistics.values())]
        for letter in sorted(shown)
    ]
    reporter.table("Dataset", "characters", ["character", *statistics], counts)
    for title, figure in figures_of(splits, statistics).items():
        reporter.figure("Dataset", title, figure)


def figures_of(
    splits: Mapping[str, Sequence[Checked]], statistics: Mapping[str, Any]
) -> dict[str, Any]:
    """Plots by title; they hold counts, so they stay small for any dataset."""
    import plotly.graph_objects as go

    lengths, aspects, characters = go.Figure(), go.Figure(), go.Figure()
    edges = np.geomspace(0.25, 64, 49)
    for split, figures in statistics.items():
        xs = [int(length) for length in figures["lengths"]]
        lengths.add_bar(name=split, x=xs, y=list(figures["lengths"].values()))
        ratios = [one.facts.width / one.facts.height for one in splits[split]]
        counts, _ = np.histogram(np.clip(ratios, edges[0], edges[-1]), edges)
        middle = np.sqrt(edges[1:] * edges[:-1]).round(3)
        aspects.add_scatter(name=split, x=middle, y=counts, mode="lines", line_shape="hvh")
        most = Counter(figures["characters"]).most_common(_SHOWN_CHARACTERS)
        shown = dict(sorted(most))
        characters.add_bar(name=split, x=list(shown), y=list(shown.values()))
    lengths.update_layout(barmode="group", xaxis_title="characters", yaxis_title="lines")
    aspects.update_layout(xaxis_title="width by height", yaxis_title="lines", xaxis_type="log")
    characters.update_layout(
        barmode="group", xaxis={"title": "character", "type": "category"}, yaxis_title="times"
    )
    return {"text length": lengths, "aspect": aspects, "characters": characters}
