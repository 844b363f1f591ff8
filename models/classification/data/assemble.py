"""Put a raw classification folder together from tables and pictures named for each split."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from models.classification.data import folders, tables
from models.data.writing import link_or_copy


def assemble(parts: Mapping[str, tuple[Path, Path]], target: Path) -> None:
    """Lay splits out as `train.csv` and so on beside `pictures/`.

    Args:
        parts: by split a table, or a folder with a folder for each class; and the folder that the
            table's names start from.
        target: folder to make.

    Raises:
        ValueError: a part isn't there, or holds no labelled picture.
    """
    target.mkdir(parents=True, exist_ok=True)
    for split, (labels, pictures) in parts.items():
        rows = _rows(split, labels, pictures)
        with (target / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "class"])
            for number, (source, classes) in enumerate(rows):
                name = f"{split}/{number}{source.suffix}"
                place = target / "pictures" / name
                place.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(source, place)
                writer.writerow([name, "|".join(classes)])


def _rows(split: str, labels: Path, pictures: Path) -> list[tuple[Path, list[str]]]:
    if labels.is_dir():
        raw = folders.read(labels)
    elif labels.is_file():
        raw = tables.read_table(labels, pictures)
    else:
        raise ValueError(f"data.{split}.annotations: there is no {labels}")
    found = [
        (one.file, [raw.classes[label] for label in one.labels])
        for several in raw.splits.values()
        for one in several
    ]
    missing = next((file for file, _ in found if not file.is_file()), None)
    if missing is not None or not found:
        what = f"there is no picture {missing}" if missing else "it names no picture"
        raise ValueError(f"data.{split}: {what}; data.{split}.pictures says where names start from")
    return found
