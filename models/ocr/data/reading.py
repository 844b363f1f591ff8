"""Read a split of a prepared dataset. No torch in here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LABELS = "labels.jsonl"


@dataclass(frozen=True)
class Lines:
    """A split's lines; the sequences have one entry for each, in the same order."""

    folder: Path
    """Of the split."""
    files: Sequence[str]
    """Pictures, relative to `folder`."""
    texts: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    """Height and width, pixels."""
    symbologies: Sequence[str | None]

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.files)


def read_split(folder: Path, split: str) -> Lines:
    """Read the lines of a prepared dataset's split.

    Args:
        folder: of the dataset.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: there's no such split, or its `labels.jsonl` is broken.
    """
    path = folder / split / LABELS
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{folder} has no {split} split: there is no {split}/{LABELS}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} isn't UTF-8 text: {error}") from None
    files, texts, sizes, symbologies = [], [], [], []
    for number, line in enumerate(content.split("\n"), 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            file, text, symbology = row["file"], row["text"], row.get("symbology")
            size = (int(row["height"]), int(row["width"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number} is broken: {error!r}") from None
        if not isinstance(file, str) or not isinstance(text, str):
            raise ValueError(f"{path}, line {number}: file and text must be texts")
        files.append(file)
        texts.append(text)
        sizes.append(size)
        symbologies.append(symbology if isinstance(symbology, str) else None)
    return Lines(folder / split, files, texts, sizes, symbologies)
