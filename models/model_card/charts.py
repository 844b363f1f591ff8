"""Small charts as SVG, for a page that loads nothing."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _TOP = 460, 340, 48, 16
_MOST_CURVES, _MOST_CLASSES = 8, 15
_INK = "#334155"


def curves(chart: Mapping[str, Any]) -> str:
    """Draw shares over a share.

    Args:
        chart: `at`, where they stand, and below `lines` the values of each by name, all from 0 to
            1, or null; `x` and `y` name the axes.

    Returns:
        SVG; empty if there is nothing to draw.
    """
    at: Sequence[float] = chart.get("at") or ()
    found: Mapping[str, Sequence[float | None]] = chart.get("lines") or {}
    if not at or not found:
        return ""
    wide, tall = _WIDTH - _LEFT - 150, _HEIGHT - _TOP - 44
    parts = [_axes(wide, tall, str(chart.get("x", "")), str(chart.get("y", "")))]
    shown = list(found.items())[:_MOST_CURVES]
    for place, (name, values) in enumerate(shown):
        colour = _colour(place)
        points = " ".join(
            f"{_LEFT + x * wide:.1f},{_TOP + (1 - y) * tall:.1f}"
            for x, y in zip(at, values, strict=False)
            if y is not None
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        y = _TOP + 12 + 20 * place
        x = _LEFT + wide + 14
        parts.append(f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(_text(x + 18, y, name[:16], "start"))
    if len(found) > len(shown):
        y = _TOP + 12 + 20 * len(shown)
        parts.append(_text(_LEFT + wide + 14, y, f"{len(found) - len(shown)} more", "start"))
    return _svg(_WIDTH, _HEIGHT, parts)


def confusion(matrix: Mapping[str, Any]) -> str:
    """Draw how often each class is taken for each other one.

    Args:
        matrix: `classes` (a detector's last is the background) and `counts`: a row for each true
            class, a column for each one said.

    Returns:
        SVG; empty if there is nothing to draw, or too many classes to read.
    """
    names: Sequence[str] = matrix.get("classes") or ()
    counts: Sequence[Sequence[int]] = matrix.get("counts") or ()
    if not names or not counts or len(names) > _MOST_CLASSES:
        return ""
    side, left, top = max(34, min(70, 360 // len(names))), 120, 96
    parts = []
    for row, values in enumerate(counts):
        total = sum(values) or 1
        y = top + row * side
        parts.append(_text(left - 8, y + side / 2 + 4, names[row][:16], "end"))
        for column, value in enumerate(values):
            x = left + column * side
            share = value / total
            fill = f"rgba(13,148,136,{share:.3f})"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="{fill}" '
                f'stroke="#cbd5e1"/>'
            )
            ink = "#ffffff" if share > 0.6 else _INK
            parts.append(_text(x + side / 2, y + side / 2 + 4, str(value), "middle", ink))
    for column, name in enumerate(names):
        middle = left + column * side + side / 2
        parts.append(
            f'<g transform="translate({middle:.0f},{top - 8}) rotate(-45)">'
            f"{_text(0, 0, name[:14], 'start')}</g>"
        )
    end = top + len(names) * side
    parts.append(_text(left, end + 20, "rows: the truth; columns: what the model says", "start"))
    return _svg(max(left + len(names) * side + 60, 420), end + 32, parts)


def _axes(wide: float, tall: float, across: str, up: str) -> str:
    parts = []
    for step in range(6):
        share = step / 5
        x, y = _LEFT + share * wide, _TOP + (1 - share) * tall
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_LEFT + wide}M{x:.1f} {_TOP}V{_TOP + tall}" '
            f'stroke="#e2e8f0"/>'
        )
        parts.append(_text(_LEFT - 6, y + 4, f"{share:.1f}", "end"))
        parts.append(_text(x, _TOP + tall + 16, f"{share:.1f}", "middle"))
    parts.append(_text(_LEFT + wide / 2, _TOP + tall + 36, across, "middle"))
    parts.append(
        f'<g transform="translate(12,{_TOP + tall / 2}) rotate(-90)">'
        f"{_text(0, 0, up, 'middle')}</g>"
    )
    return "".join(parts)


def _colour(place: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb((place * 0.618033988749895 + 0.48) % 1, 0.75, 0.75)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _text(x: float, y: float, text: str, anchor: str, ink: str = _INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">{escape(text)}</text>'
    )


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(parts)}</svg>'
    )
