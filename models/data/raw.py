"""Labelled pictures as they came, whatever their task: files, names, splits, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from models.data.pictures import PictureFacts
from models.outcomes import Rejected

UNSPLIT = "all"
"""Split of pictures that came without any."""


class Listed(Protocol):
    """A picture that a dataset lists; a family adds what is written down about it."""

    file: Path
    name: str
    """How reports call it: its path inside the dataset."""


ListedT = TypeVar("ListedT", bound=Listed)


@dataclass
class RawPictures(Generic[ListedT]):
    """What a format's reader found, not checked against the pictures."""

    format: str
    splits: dict[str, list[ListedT]] = field(default_factory=dict)
    """By `train`, `val`, `test`, or all under `UNSPLIT`."""
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is odd but does no harm, one line each."""


@dataclass(slots=True)
class CheckedPicture(Generic[ListedT]):
    """A picture that was read to its last byte."""

    picture: ListedT
    facts: PictureFacts


Splits = dict[str, list[CheckedPicture[ListedT]]]
"""Checked pictures by split."""


@dataclass
class Findings:
    """What checking found."""

    rejected: list[Rejected] = field(default_factory=list)
    mended: list[Rejected] = field(default_factory=list)
    """What could be put right, and how."""
