"""The page's texts and small pieces of HTML. What comes from a model is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from models.demo_page.running import Times
from models.families import Presenter, family
from models.package import ModelPackage

STYLE = """
.sightline-counts {display: flex; flex-wrap: wrap; gap: .4rem; min-height: 2rem;}
.sightline-counts span {border-radius: 1rem; padding: .15rem .7rem; font-weight: 600;
  border: 2px solid; background: var(--background-fill-primary);}
.sightline-times {margin-top: .6rem; display: flex; flex-wrap: wrap; gap: .4rem 1.4rem;
  font-size: .95rem;}
.sightline-times b {font-variant-numeric: tabular-nums;}
.sightline-head p {margin: .1rem 0;}
footer {display: none !important;}
"""


def heading(package: ModelPackage) -> str:
    """Say in markdown which model this is."""
    card = package.card
    options = family(card.family).card_terms().effective(card.network)
    network = " ".join(
        escape(str(options[key])) for key in ("name", "backbone") if options.get(key)
    )
    name = escape(card.lineage.dataset.name or "Model")
    size = f"{card.preprocessing.width} × {card.preprocessing.height}"
    parts = [network, f"{size} pixels"]
    if card.classes:
        parts.append("1 class" if len(card.classes) == 1 else f"{len(card.classes)} classes")
    return f"# {name}\n{' · '.join(part for part in parts if part)}"


def counts(found: Mapping[str, int], presenter: Presenter) -> str:
    """Show how often each name of `Presenter.tally` was found, in the colour it's drawn in."""
    if not found:
        return '<div class="sightline-counts">nothing found at this threshold</div>'
    chips = [
        f'<span style="border-color: rgb{tuple(presenter.colour(name))}">'
        f"{escape(name)} {count}</span>"
        for name, count in found.items()
    ]
    return f'<div class="sightline-counts">{"".join(chips)}</div>'


def times(measured: Times, note: str = "") -> str:
    """Show what each step took."""
    parts = [
        ("decode", measured.decode),
        ("network", measured.network),
        ("before and after it", measured.around),
        ("drawing", measured.draw),
        ("together", measured.total),
    ]
    cells = "".join(f"<span>{name} <b>{value:.1f} ms</b></span>" for name, value in parts)
    more = f"<span>{escape(note)}</span>" if note else ""
    return f'<div class="sightline-times">{cells}{more}</div>'
