"""A card as one HTML file that loads nothing from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from models.model_card.blocks import Block, Bullets, Heading, Item, Paragraph, Table
from models.model_card.charts import confusion, curves
from models.model_card.evidence import Evidence
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
    blocks = "".join(_element(block) for block in sections(card, evidence))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Names come from data: whatever they hold, nothing runs and nothing is fetched.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head>\n<body><main>"
        f"<h1>{escape(name)}</h1>{blocks}{''.join(_pictures(evidence))}</main></body></html>\n"
    )


def _element(block: Block) -> str:
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
                f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
            )
            return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>\n'


def _item(item: Item) -> str:
    if not item.link.startswith(("http://", "https://")):
        return escape(item.text)
    return f'<a href="{escape(item.link)}">{escape(item.text)}</a>'


def _pictures(evidence: Evidence) -> Iterator[str]:
    split = next((one for one in ("test", "val") if evidence.details.get(one)), None)
    details = evidence.details[split] if split else {}
    charts = [
        *((str(one.get("title", "")), curves(one)) for one in details.get("charts") or ()),
        ("Confusion at the threshold", confusion(details.get("confusion") or {})),
    ]
    drawn = [(title, svg) for title, svg in charts if svg]
    if drawn or evidence.pictures:
        yield "<h2>Pictures</h2>\n"
    if drawn:
        figures = "".join(
            f"<figure>{svg}<figcaption>{escape(f'{title}, {split}')}</figcaption></figure>"
            for title, svg in drawn
        )
        yield f'<div class="charts">{figures}</div>\n'
    for picture in evidence.pictures:
        data = base64.b64encode(picture.jpeg).decode()
        yield (
            f'<figure><img alt="{escape(picture.title)}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{escape(picture.title)}</figcaption></figure>\n"
        )
