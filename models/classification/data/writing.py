"""Write a prepared classification dataset: pictures, and `labels.json` by split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.classification.data.annotations import CheckedSplits, LabelledPicture
from models.data.writing import write_json, write_pictures
from models.reporting import Reporter

LABELS = "labels.json"


def write_labelled(splits: CheckedSplits, target: Path, reporter: Reporter) -> None:
    """Write the pictures of each split, with name, classes (by index) and size of each."""
    sizes = {
        id(one.picture): (one.facts.height, one.facts.width)
        for found in splits.values()
        for one in found
    }

    def labels(split: str, rows: Sequence[tuple[str, LabelledPicture]]) -> None:
        entries = [
            {"file": name, "classes": list(one.labels), "size": list(sizes[id(one)])}
            for name, one in rows
        ]
        write_json(target / split / LABELS, {"pictures": entries})

    write_pictures(splits, target, labels, reporter)
