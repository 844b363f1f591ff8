"""Detection annotations in memory, the same for every format they were read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.raw import CheckedPicture, RawPictures, Splits

Boxes = NDArray[np.float64]
"""Boxes `xyxy`, pixels, edges at continuous coordinates (0 is the picture's left edge), shape
(N, 4)."""


@dataclass(slots=True)
class AnnotatedPicture:
    """A picture that a dataset lists, with its boxes as they were written down."""

    file: Path
    name: str
    """How reports call it: its path inside the dataset."""
    size: tuple[int, int] | None
    """Width and height that were written down, pixels; None if none were."""
    boxes: Boxes
    labels: NDArray[np.int64]
    """Index into `RawDataset.classes` for each box, shape (N,)."""
    crowd: NDArray[np.bool_]
    """Whether a box frames a crowd (COCO's `iscrowd`), shape (N,)."""


@dataclass
class RawDataset(RawPictures[AnnotatedPicture]):
    """What a format's reader found, not checked against the pictures."""

    classes: list[str] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    """As they came, in the order of `classes`."""

    def class_index(self, name: str, wished_id: int | None = None) -> int:
        """Index of a class, made if it's new; its id is the wished one if that is free."""
        if name in self.classes:
            return self.classes.index(name)
        taken = set(self.category_ids)
        if wished_id is None or wished_id in taken:
            wished_id = max(taken, default=0) + 1
        self.classes.append(name)
        self.category_ids.append(wished_id)
        return len(self.classes) - 1


Checked = CheckedPicture[AnnotatedPicture]
"""A whole picture; its written size is the real one, upright, and its boxes lie in it."""
CheckedSplits = Splits[AnnotatedPicture]


def is_name(text: str) -> bool:
    """Whether a class can be called so: something printable, on one line."""
    return text.isprintable() and not text.isspace() and bool(text)


def as_boxes(rows: list[list[float]]) -> Boxes:
    """Rows of four numbers as an array, shape (0, 4) if there's none."""
    return np.array(rows, np.float64).reshape(-1, 4)
