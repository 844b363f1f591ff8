"""Options of preparing detection data."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Ratio = Annotated[float, Field(ge=0, le=1)]


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


class PrepareOptions(BaseModel):
    """How raw detection data becomes a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    split: SplitOptions = SplitOptions()
    """How pictures are divided into train, val and test."""
    classes: tuple[str, ...] = ()
    """Names of the classes to keep, in any order; empty keeps all. Boxes of other classes are
    left out, their pictures stay."""
    drop: tuple[str, ...] = ()
    """Names of classes to leave out, with their boxes; their pictures stay."""
    merge: dict[str, tuple[str, ...]] = {}
    """Classes to make one, by the new name: {"cell": ["RBC", "WBC"]}. Comes before `classes` and
    `drop`, which then know the new name."""
    one_class: str = ""
    """Name of the one class that all boxes left get; empty keeps the classes apart."""
    negatives: bool = True
    """Keep pictures without a box."""
    difficult: bool = True
    """Keep objects that a Pascal VOC file marks as difficult."""
    smallest_box: float = Field(default=2.0, gt=0, le=1000)
    """Boxes narrower or lower than this are set aside, pixels, above 0. A box of one pixel is a
    slip of the mouse."""
    duplicates: Literal["remove", "report", "ignore"] = "remove"
    """What becomes of pictures that show nearly the same: `remove` takes them out of val and test
    where train, or the same split, has them too, and keeps them together when splits are drawn;
    `report` lists them; `ignore` looks for files with the same bytes only."""
    previews: int = Field(default=12, ge=0, le=100)
    """Pictures to draw with their boxes as previews, 0 to 100."""
    workers: int = Field(default=0, ge=0, le=64)
    """Threads that check pictures; 0 means one a core. Has no influence on the result."""
