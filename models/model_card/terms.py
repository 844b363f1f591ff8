"""How a family's models are spoken of in their cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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
    """Key with their number in each class of the dataset's statistics; empty if that is the number
    itself."""
    empty: str = ""
    """What pictures with none of them are called in a table; no row unless given."""
    totals: tuple[tuple[str, str], ...] = (("pictures", "pictures"),)
    """Rows of a table about a split: what is said, and the key of the dataset's statistics."""
    classes_key: str = "classes"
    """Key of the dataset's statistics with something by class name."""
    a_class: str = "class"
    """What a class is called."""
    classes: str = "Classes"
    """What classes are called, at the start of a sentence."""
    effective: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """Picks those of a package's `network` options that its network has a use for."""

    def in_class(self, statistics: Mapping[str, Any], name: str) -> int:
        """Read how many things of a class a split has, off its statistics."""
        found = (statistics.get(self.classes_key) or {}).get(name, 0)
        if isinstance(found, Mapping):
            found = found.get(self.counted, 0)
        return int(found)
