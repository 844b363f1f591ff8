"""A card as markdown."""

from __future__ import annotations

import re

from models.model_card.blocks import Block, Bullets, Heading, Paragraph, Table
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
    lines = [f"# {_plain(name)}", ""]
    for block in sections(card, evidence or Evidence()):
        lines += [*_lines(block), ""]
    return "\n".join(lines)


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(text):
            return [f"## {_plain(text)}"]
        case Paragraph(text):
            return [_plain(text)]
        case Bullets(items):
            return [
                f"- [{_plain(item.text)}]({item.link})" if item.link else f"- {_plain(item.text)}"
                for item in items
            ]
        case Table(columns, rows):
            return [_row(columns), "|" + "---|" * len(columns), *(_row(row) for row in rows)]


def _row(cells: object) -> str:
    assert isinstance(cells, list | tuple)
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Keep names from being markup or from breaking a line."""
    return re.sub(r"([\[\]<>`*])", r"\\\1", " ".join(text.split()))
