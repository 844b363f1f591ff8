"""Layouts of classification data, told apart by looking: class folders and tables."""

from __future__ import annotations

from pathlib import Path

from models.classification.data import folders, tables
from models.classification.data.annotations import RawDataset
from models.data.looking import is_hidden
from models.data.split_lists import apply_lists

# Archives often hold one folder that holds the data.
_DEPTH = 3


def recognise(folder: Path) -> str | None:
    """Name the layout of a raw folder, `table` or `folders`; None if it's neither.

    The data may lie deeper, as they often do in archives, as long as there is one way only.
    """
    found = _find(folder)
    return found[0] if found else None


def read(folder: Path, separator: str = "|;") -> RawDataset:
    """Read the labels of a raw folder in whatever layout it has.

    Args:
        folder: the folder, or one that holds it.
        separator: characters that part several classes in a cell of a table.

    Raises:
        ValueError: no known layout, or a table that isn't what it should be.
    """
    found = _find(folder)
    if found is None:
        raise ValueError(
            f"no known layout in {folder}: expected a folder of pictures for each class "
            "(rice/Basmati/1.jpg), such folders below train, val and test, or a CSV or TSV table "
            "with the columns file and class"
        )
    name, root = found
    if name == tables.NAME:
        return tables.read(root, separator)
    raw = folders.read(root)
    apply_lists(root, raw)
    return raw


def _find(folder: Path) -> tuple[str, Path] | None:
    place = folder
    for _ in range(_DEPTH + 1):
        if not place.is_dir():
            return None
        if tables.matches(place):
            return tables.NAME, place
        inside = [p for p in sorted(place.iterdir()) if p.is_dir() and not is_hidden(Path(p.name))]
        if len(inside) == 1 and not folders.is_class_folder(inside[0], lonely=True):
            place = inside[0]
            continue
        return (folders.NAME, place) if folders.matches(place) else None
    return None
