"""A card as markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from models.model_card.blocks import Block, Bullets, Heading, Item, Paragraph, Table
from models.model_card.evidence import Evidence
from models.model_card.sections import sections
from models.package import ModelCard


def markdown(card: ModelCard, name: str, evidence: Evidence | None = None) -> str:
    """Write what a model is, how good it is, where it comes from and where its limits are.

    Args:
        card: the package's description.
        name: of the model.
        evidence: records of those who measured it.
    """
    return text(name, sections(card, evidence or Evidence()))


def text(title: str, blocks: Iterable[Block]) -> str:
    """Write blocks below a title."""
    lines = [f"# {plain(title)}", ""]
    for block in blocks:
        lines += [*_lines(block), ""]
    return "\n".join(lines)


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(words):
            return [f"## {plain(words)}"]
        case Paragraph(words):
            return [plain(words)]
        case Bullets(items):
            return [f"- {_item(item)}" for item in items]
        case Table(columns, rows):
            return [_row(columns), "|" + "---|" * len(columns), *(_row(row) for row in rows)]


def _row(cells: object) -> str:
    assert isinstance(cells, list | tuple)
    return "| " + " | ".join(_item(cell).replace("|", "\\|") for cell in cells) + " |"


def _item(item: str | Item) -> str:
    if isinstance(item, str):
        return plain(item)
    # White space would end a link.
    link = item.link.replace(" ", "%20")
    return f"[{plain(item.text)}]({link})" if link else plain(item.text)


def plain(text: str) -> str:
    """Keep names from being markup or from breaking a line."""
    return re.sub(r"([\[\]<>`*])", r"\\\1", " ".join(text.split()))
