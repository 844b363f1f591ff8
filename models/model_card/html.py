"""A card as one HTML file that loads nothing from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from models.model_card.blocks import Block, Bullets, Heading, Item, Paragraph, Table
from models.model_card.charts import confusion, curves
from models.model_card.evidence import CardPicture, Evidence
from models.model_card.sections import sections
from models.package import ModelCard

_STYLE = """
body {font: 16px/1.5 system-ui, sans-serif; color: #1e293b; background: #f8fafc; margin: 0;}
main {max-width: 62rem; margin: 0 auto; padding: 2rem 1.2rem 4rem;}
h1 {margin: 0 0 .6rem;} h2 {margin: 2rem 0 .6rem; font-size: 1.25rem;}
.wide {overflow-x: auto;}
table {border-collapse: collapse; background: #fff; font-size: .92rem;}
th, td {border: 1px solid #e2e8f0; padding: .3rem .7rem; text-align: left;}
td {font-variant-numeric: tabular-nums;} th {background: #f1f5f9;}
figure {margin: 0 0 1.2rem;} figcaption {font-size: .9rem; color: #64748b;}
img, svg {max-width: 100%; height: auto; background: #fff; border: 1px solid #e2e8f0;}
.charts {display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start;}
"""


def html(card: ModelCard, name: str, evidence: Evidence | None = None) -> str:
    """Write the card with its charts and pictures inside.

    Args:
        card: the package's description.
        name: of the model.
        evidence: records of those who measured it.
    """
    evidence = evidence or Evidence()
    blocks = sections(card, evidence)
    return document(name, "".join((*map(element, blocks), *_pictures(evidence))))


def document(title: str, body: str) -> str:
    """Write a page that loads nothing from anywhere.

    Args:
        title: of the page.
        body: HTML below its title.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Names come from data: whatever they hold, nothing runs and nothing is fetched.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>"
        f"<h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )


def element(block: Block) -> str:
    """Write a block."""
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>\n"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>\n"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_item(item)}</li>' for item in items)}</ul>\n"
        case Table(columns, rows):
            head = "".join(f"<th>{escape(name)}</th>" for name in columns)
            body = "".join(
                f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows
            )
            return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>\n'


def _cell(cell: str | Item) -> str:
    return escape(cell) if isinstance(cell, str) else _item(cell)


def _item(item: Item) -> str:
    if not item.link.startswith(("http://", "https://")):
        return escape(item.text)
    return f'<a href="{escape(item.link)}">{escape(item.text)}</a>'


def _pictures(evidence: Evidence) -> Iterator[str]:
    drawn = "".join(charts_of(evidence.details))
    if drawn or evidence.pictures:
        yield "<h2>Pictures</h2>\n"
    yield drawn
    for picture in evidence.pictures:
        yield picture_of(picture)


def charts_of(details: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Draw the charts of an evaluation, of test if it has any.

    Args:
        details: further tables of the evaluation, by split.
    """
    split = next((one for one in ("test", "val") if details.get(one)), None)
    found = details[split] if split else {}
    charts = [
        *((str(one.get("title", "")), curves(one)) for one in found.get("charts") or ()),
        ("Confusion at the threshold", confusion(found.get("confusion") or {})),
    ]
    figures = "".join(
        f"<figure>{svg}<figcaption>{escape(f'{title}, {split}')}</figcaption></figure>"
        for title, svg in charts
        if svg
    )
    if figures:
        yield f'<div class="charts">{figures}</div>\n'


def picture_of(picture: CardPicture) -> str:
    """Write a picture, its bytes inside."""
    data = base64.b64encode(picture.jpeg).decode()
    return (
        f'<figure><img alt="{escape(picture.title)}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{escape(picture.title)}</figcaption></figure>\n"
    )
