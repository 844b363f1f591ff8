"""An SQL condition under construction."""

# Columns are named by code; values are bound.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..documents import Collection
from ..encoding import dumps

Term = tuple[str, list[Any]]
"""A piece of SQL and the values for its placeholders."""


@dataclass
class Where:
    """An SQL condition under construction, with its values."""

    collection: Collection
    terms: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """The condition."""
        return " AND ".join(f"({term})" for term in self.terms) or "1"

    def among(self, name: str, values: Iterable[str]) -> Where:
        """Demand that a column is one of some values, however many."""
        return self.add(f'"{name}" IN (SELECT value FROM json_each(?))', dumps(list(values)))

    def add(self, sql: str, *values: Any) -> Where:
        """Demand one more thing, written in SQL."""
        self.terms.append(sql)
        self.values.extend(values)
        return self
