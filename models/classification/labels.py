"""The pictures of a prepared dataset folder and their classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Labels:
    """Pictures of one split."""

    folder: Path
    classes: tuple[str, ...]
    files: Sequence[str]
    """Relative to `folder`."""
    sizes: NDArray[np.int64]
    """Height and width of each picture, pixels, (N, 2)."""
    truth: NDArray[np.bool_]
    """Which classes each picture has, (N, classes); one in each row unless `several`."""
    several: bool
    """Whether a picture may have any number of classes."""

    def __len__(self) -> int:
        return len(self.files)

    @property
    def single(self) -> NDArray[np.int64]:
        """The one class of each picture, (N,)."""
        assert not self.several
        found: NDArray[np.int64] = self.truth.argmax(axis=1).astype(np.int64)
        return found

    def names(self, index: int) -> str:
        """Name the classes of a picture."""
        return ", ".join(self.classes[i] for i in np.flatnonzero(self.truth[index])) or "none"


def read_labels(dataset: Path, split: str) -> Labels:
    """Read one split of a prepared dataset folder.

    Raises:
        ValueError: there is no such dataset or split.
    """
    description = _json(dataset / "dataset.json")
    file = dataset / split / "labels.json"
    if not file.is_file():
        have = sorted(path.parent.name for path in dataset.glob("*/labels.json"))
        raise ValueError(f"{dataset} has no split '{split}'; it has: {', '.join(have) or 'none'}")
    try:
        classes = tuple(map(str, description["classes"]))
        rows = _json(file)["pictures"]
        truth = np.zeros((len(rows), len(classes)), np.bool_)
        for place, row in enumerate(rows):
            truth[place, row["classes"]] = True
        sizes = np.array([row["size"] for row in rows], np.int64).reshape(-1, 2)
        files = [f"{split}/data/{row['file']}" for row in rows]
        several = bool(description.get("multi_label", False))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{file} is broken ({error!r}): prepare the dataset again") from None
    return Labels(dataset, classes, files, sizes, truth, several)


def labels_for(dataset: Path, split: str, class_names: Sequence[str]) -> Labels:
    """Read a split for a model.

    Raises:
        ValueError: no such split, other classes than the model's, or no pictures.
    """
    labels = read_labels(dataset, split)
    if tuple(class_names) != labels.classes:
        raise ValueError(
            f"the model knows the classes {', '.join(class_names)}, the dataset {dataset} has "
            f"{', '.join(labels.classes)}: use one with the model's classes in its order"
        )
    if not len(labels):
        raise ValueError(f"the split '{split}' of {dataset} has no pictures")
    return labels


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{file} isn't JSON: prepare the dataset again") from None
