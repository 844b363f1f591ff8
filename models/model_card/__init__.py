"""A model's card for people: markdown, and HTML with pictures."""

from models.model_card.evidence import CardPicture, Evidence, read_evidence
from models.model_card.html import html
from models.model_card.markdown import markdown

__all__ = ["CardPicture", "Evidence", "html", "markdown", "read_evidence"]
