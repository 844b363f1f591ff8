"""Class folders: a folder of pictures for each class, perhaps below folders of splits.

Classes may be nested (`cat/tabby`): the name of the class is then the path. This is also how the
Rice Image Dataset comes (`Rice_Image_Dataset/Arborio/Arborio (1).jpg`; Koklu et al., 2021).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from models.classification.data.annotations import LabelledPicture, RawDataset
from models.data.looking import is_hidden
from models.data.pictures import PICTURE_SUFFIXES
from models.data.raw import UNSPLIT
from models.data.splits import split_name

NAME = "folders"
_STRANGE = ("labels", "annotations", "jpegimages", "images", "data")
"""Folders that hold pictures of any class, with what is on them written elsewhere."""


def matches(root: Path) -> bool:
    """Tell whether a folder has class folders: two or more with pictures, all of them."""
    named = _splits(root)
    if named:
        return any(_classes(path) for path in named.values())
    found = _classes(root)
    return len(found) >= 2 and not any(_holds_boxes(path) for path in root.glob("*.json"))


def is_class_folder(folder: Path, *, lonely: bool = False) -> bool:
    """Tell whether pictures lie in a folder or deeper; if `lonely` in itself."""
    if folder.name.lower() in _STRANGE:
        return False
    if lonely:
        return next(_pictures(folder, deep=False), None) is not None
    return next(_pictures(folder), None) is not None


def read(root: Path) -> RawDataset:
    """Read class folders; pictures that lie beside them are noted and left out."""
    raw = RawDataset(NAME)
    named = _splits(root) or {UNSPLIT: root}
    found = {split: list(_labelled(path)) for split, path in named.items()}
    names = {class_name for rows in found.values() for class_name, _ in rows}
    raw.classes = sorted(names, key=_natural)
    index = {name: place for place, name in enumerate(raw.classes)}
    raw.splits = {
        split: [
            LabelledPicture(file, file.relative_to(root).as_posix(), (index[class_name],))
            for class_name, file in rows
        ]
        for split, rows in found.items()
    }
    for path in named.values():
        if loose := sum(1 for _ in _pictures(path, deep=False)):
            where = path.relative_to(root).as_posix()
            raw.notes.append(f"{where}: {loose} pictures lie in no class folder: left out")
    return raw


def _holds_boxes(file: Path) -> bool:
    """Tell whether a file is COCO's, which says itself what is on the pictures."""
    with file.open("rb") as stream:
        return b'"bbox"' in stream.read(1 << 20)


def _splits(root: Path) -> dict[str, Path]:
    """Folders called like splits, if every folder with pictures is one, train among them."""
    found: dict[str, Path] = {}
    for child in _folders(root):
        split = split_name(child.name)
        if split is None:
            if is_class_folder(child):
                return {}
            continue
        if split in found:
            return {}
        found[split] = child
    return found if "train" in found else {}


def _classes(root: Path) -> list[Path]:
    children = _folders(root)
    if any(child.name.lower() in _STRANGE for child in children):
        return []
    return [child for child in children if is_class_folder(child)]


def _folders(root: Path) -> list[Path]:
    return [p for p in sorted(root.iterdir()) if p.is_dir() and not is_hidden(Path(p.name))]


def _labelled(root: Path) -> Iterator[tuple[str, Path]]:
    """Every picture below class folders, with the path of its folder as the class."""
    for file in _pictures(root):
        name = file.parent.relative_to(root).as_posix()
        if name != ".":
            yield name, file


def _pictures(root: Path, deep: bool = True) -> Iterator[Path]:
    for folder, inside, files in os.walk(root):
        inside[:] = sorted(n for n in inside if not is_hidden(Path(n))) if deep else []
        for name in sorted(files):
            if Path(name).suffix.lower() in PICTURE_SUFFIXES and not name.startswith("."):
                yield Path(folder) / name


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order 2 before 10, and names by their letters."""
    parts = name.split("/")
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)
