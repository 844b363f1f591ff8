"""The main figures of readings against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ocr.metrics.edits import NOTHING, confusions, edit_distances


def line_figures(truths: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Compute the figures of some lines.

    Returns:
        `exact_match`: share of lines without a mistake; `character_accuracy`: 1 - CER, below 0 if
        far too much was read; `cer`: edits a true character (all edits divided by all characters);
        `edit_distance`: mean edits a line. Without true characters the two shares of characters
        are nan.
    """
    distances = edit_distances(truths, texts)
    return figures_of(distances, np.array([len(truth) for truth in truths], np.int64))


def figures_of(distances: NDArray[np.int64], lengths: NDArray[np.int64]) -> dict[str, float]:
    """Compute the figures from each line's edits and true characters."""
    lines, characters, edits = len(distances), int(lengths.sum()), int(distances.sum())
    cer = edits / characters if characters else float("nan")
    return {
        "exact_match": float((distances == 0).mean()) if lines else float("nan"),
        "character_accuracy": 1.0 - cer,
        "cer": cer,
        "edit_distance": edits / lines if lines else float("nan"),
    }


def by_length(truths: Sequence[str], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Compute the figures for the lines of each length, one row a length."""
    distances = edit_distances(truths, texts)
    lengths = np.array([len(truth) for truth in truths], np.int64)
    rows = []
    for length in np.unique(lengths).tolist():
        same = lengths == length
        found = figures_of(distances[same], lengths[same])
        rows.append({"characters": length, "lines": int(same.sum()), **_plain(found)})
    return rows


def by_character(truths: Sequence[str], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Say of each character how often it was read and what it was taken for, one row each."""
    counts = confusions(truths, texts)
    letters = sorted({letter for pair in counts for letter in pair} - {NOTHING})
    rows = []
    for letter in letters:
        right = counts[letter, letter]
        true = sum(count for (one, _), count in counts.items() if one == letter)
        read = sum(count for (_, other), count in counts.items() if other == letter)
        wrong = {
            other: count
            for (one, other), count in counts.items()
            if one == letter and other != letter
        }
        worst = max(sorted(wrong), key=lambda other: wrong[other], default=None)
        rows.append(
            {
                "class": letter,
                "true": true,
                "read": read,
                "right": right,
                "recall": round(right / true, 6) if true else None,
                "precision": round(right / read, 6) if read else None,
                "most often taken for": None if worst is None else (worst or "nothing"),
                "so often": wrong[worst] if worst is not None else 0,
            }
        )
    return rows


def confusion_table(
    truths: Sequence[str], texts: Sequence[str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Count what was read as what.

    Returns:
        The characters, by code point, and behind them one for nothing; counts by true character
        (rows) and read one (columns).
    """
    counts = confusions(truths, texts)
    letters = sorted({letter for pair in counts for letter in pair} - {NOTHING})
    places = {letter: place for place, letter in enumerate([*letters, NOTHING])}
    table = np.zeros((len(places), len(places)), np.int64)
    for (true, read), count in counts.items():
        table[places[true], places[read]] = count
    return [*letters, NOTHING], table


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else round(value, 6) for name, value in values.items()}
