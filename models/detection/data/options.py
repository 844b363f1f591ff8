"""Options of preparing detection data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.data.split_options import DuplicateChoice, SplitOptions


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
    duplicates: DuplicateChoice = "remove"
    """What becomes of pictures that show nearly the same: `remove` takes them out of val and test
    where train, or the same split, has them too, and keeps them together when splits are drawn;
    `report` lists them; `ignore` looks for files with the same bytes only."""
    previews: int = Field(default=12, ge=0, le=100)
    """Pictures to draw with their boxes as previews, 0 to 100."""
    workers: int = Field(default=0, ge=0, le=64)
    """Threads that check pictures; 0 means one a core. Has no influence on the result."""
