"""What a card or a report is made of, before it is written as markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A section begins."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Item:
    """An entry of a list, with what it links to."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[Item]


@dataclass(frozen=True)
class Table:
    """A table; cells are text already, or text with a link."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Item]]


Block = Heading | Paragraph | Bullets | Table
