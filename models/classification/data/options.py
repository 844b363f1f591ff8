"""Options of preparing classification data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.data.split_options import DuplicateChoice, SplitOptions


class PrepareOptions(BaseModel):
    """How raw classification data becomes a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    split: SplitOptions = SplitOptions()
    """How pictures are divided into train, val and test, each class in the same shares."""
    classes: tuple[str, ...] = ()
    """Names of the classes to keep, in any order; empty keeps all. Pictures of others are left
    out."""
    drop: tuple[str, ...] = ()
    """Names of classes to leave out, with their pictures."""
    merge: dict[str, tuple[str, ...]] = {}
    """Classes to make one, by the new name: {"long": ["Basmati", "Jasmine"]}. Comes before
    `classes` and `drop`, which then know the new name."""
    multi_label: bool | None = None
    """Whether a picture may have any number of classes, none too. Unless given: where a table
    names several for one picture. With false such pictures are set aside."""
    separator: str = Field(default="|;", max_length=8)
    """Characters that part several classes in one cell of a table."""
    most_per_class: int = Field(default=0, ge=0)
    """Most pictures of a class, chosen by the seed; 0 takes all. Comes before the split. For
    several labels it counts each combination."""
    stratify: bool = True
    """Divide each class by itself, so that all splits have it in the same share."""
    duplicates: DuplicateChoice = "remove"
    """What becomes of pictures that show nearly the same: `remove` takes them out of val and test
    where train, or the same split, has them too, and keeps them together when splits are drawn;
    `report` lists them; `ignore` doesn't look for them."""
    previews: int = Field(default=12, ge=0, le=100)
    """Pictures shown with their classes as previews, 0 to 100."""
    workers: int = Field(default=0, ge=0, le=64)
    """Threads that check pictures; 0 means one a core. Has no influence on the result."""
