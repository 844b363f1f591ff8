"""Class labels in memory, the same for every layout they were read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.data.raw import CheckedPicture, RawPictures, Splits


@dataclass(slots=True)
class LabelledPicture:
    """A picture and the classes that it is said to show."""

    file: Path
    name: str
    """How reports call it: its path inside the dataset."""
    labels: tuple[int, ...]
    """Indices into `RawDataset.classes`, rising; one unless the data have several labels."""


@dataclass
class RawDataset(RawPictures[LabelledPicture]):
    """What a layout's reader found, not checked against the pictures."""

    classes: list[str] = field(default_factory=list)
    several: bool = False
    """Whether a picture may have any number of labels, none too."""


Checked = CheckedPicture[LabelledPicture]
CheckedSplits = Splits[LabelledPicture]
