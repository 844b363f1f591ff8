"""How a family's models are spoken of in their cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CardTerms:
    """A family's words."""

    figures: Sequence[str]
    """Figures that people ask for first; the others stay in `model.json`."""
    class_columns: Sequence[str]
    """Keys of `Evaluation.per_class` to show, in this order; those that aren't there are left
    out."""
    things: str
    """What data and results are counted in: `objects`, `pictures`, `texts`."""
    counted: str
    """Key with their number in each class of the dataset's statistics."""
    empty: str = ""
    """What pictures with none of them are called in a table; no row unless given."""
