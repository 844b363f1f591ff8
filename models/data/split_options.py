"""Options of dividing pictures into splits."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Ratio = Annotated[float, Field(ge=0, le=1)]
DuplicateChoice = Literal["remove", "report", "ignore"]


class SplitOptions(BaseModel):
    """How pictures are divided."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    keep: bool = True
    """Keep the splits that came with the data; one that is missing is drawn from train. With
    false, all pictures are put together and divided anew."""
    ratios: tuple[Ratio, Ratio, Ratio] = (0.7, 0.15, 0.15)
    """Shares of train, val and test, which sum to 1. A share of 0 makes no such split."""
    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the draw; the same pictures and seed give the same splits, whatever the order or
    names of the files."""

    @model_validator(mode="after")
    def _sum(self) -> Self:
        if not math.isclose(sum(self.ratios), 1, abs_tol=1e-6):
            raise ValueError(f"ratios sum to {sum(self.ratios):g}, not to 1")
        if self.ratios[0] == 0:
            raise ValueError("the share of train is 0: there'd be nothing to learn from")
        return self
