"""Figures named `split/name`, laid out with a column for each split."""

from __future__ import annotations

from collections.abc import Mapping

_SPLITS = ("test", "val", "train")


def figure_rows(
    figures: Mapping[str, float],
) -> tuple[list[str], dict[str, list[float | None]], dict[str, float]]:
    """Sort figures into a table.

    Args:
        figures: by name.

    Returns:
        The splits that there are; by figure, its values in their order; and the figures that
        belong to no split.
    """
    # From the left: what a split's figure is called may hold the name of a file.
    parts = {name: name.partition("/") for name in figures}
    splits = [split for split in _SPLITS if any(p[0] == split for p in parts.values())]
    names = dict.fromkeys(p[2] for p in parts.values() if p[0] in splits)
    rows = {name: [figures.get(f"{split}/{name}") for split in splits] for name in names}
    return splits, rows, {n: v for n, v in figures.items() if parts[n][0] not in splits}
