"""Class folders: a folder of pictures for each class, perhaps below folders of splits.

Classes may be nested (`cat/tabby`): the name of the class is then the path. This is also how the
Rice Image Dataset comes (`Rice_Image_Dataset/Arborio/Arborio (1).jpg`; Koklu et al., 2021).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from models.classification.data.annotations import LabelledPicture, RawDataset
from models.data.looking import is_hidden
from models.data.pictures import PICTURE_SUFFIXES
from models.data.raw import UNSPLIT
from models.data.splits import split_in, split_name

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
    if UNSPLIT not in named:
        used = {path.relative_to(root).parts[0] for path in named.values()}
        for other in _folders(root):
            if other.name not in used and is_class_folder(other):
                raw.notes.append(f"{other.name}: its pictures lie in no split: left out")
    return raw


def _holds_boxes(file: Path) -> bool:
    """Tell whether a file is COCO's, which says itself what is on the pictures."""
    with file.open("rb") as stream:
        return b'"bbox"' in stream.read(1 << 20)


def _splits(root: Path) -> dict[str, Path]:
    """Folders called like splits, if every folder with pictures is one, train among them.

    Looser names (`seg_train`) count, and other folders (`predict`) may lie beside, where the same
    classes lie below train and another split: else `train/cat` and `test/cat` were two classes.

    Raises:
        ValueError: two such folders are the same split.
    """
    exact: dict[str, list[Path]] = {}
    loose: dict[str, list[Path]] = {}
    strict = True
    for child in _folders(root):
        if split := split_name(child.name):
            exact.setdefault(split, []).append(child)
        elif is_class_folder(child):
            strict = False
        if split := split_in(child.name):
            loose.setdefault(split, []).append(_inner(child))
    if strict and "train" in exact and all(len(found) == 1 for found in exact.values()):
        return {split: found[0] for split, found in exact.items()}
    if not _share_classes(loose):
        return {}
    for split, found in loose.items():
        if len(found) > 1:
            both = " and ".join(path.relative_to(root).as_posix() for path in found)
            raise ValueError(
                f"{root}: {both} are both called like the split {split}: leave one of them"
            )
    return {split: found[0] for split, found in loose.items()}


def _inner(folder: Path) -> Path:
    """The folder itself, or the only one in it, where archives doubled it (`train/train`)."""
    inside = _folders(folder)
    return inside[0] if [one.name for one in inside] == [folder.name] else folder


def _share_classes(splits: Mapping[str, Sequence[Path]]) -> bool:
    """Tell whether a class of train has a folder in another split, too."""
    names = {
        split: {one.name for path in found for one in _classes(path)}
        for split, found in splits.items()
    }
    train = names.pop("train", set())
    return any(train & found for found in names.values())


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
    for folder, inside, files in os.walk(root, followlinks=True):
        here = Path(folder)
        kept = (n for n in inside if not is_hidden(Path(n)) and not _leads_back(here / n, root))
        inside[:] = sorted(kept) if deep else []
        for name in sorted(files):
            if Path(name).suffix.lower() in PICTURE_SUFFIXES and not name.startswith("."):
                yield Path(folder) / name


def _leads_back(path: Path, root: Path) -> bool:
    """Whether a folder is a link to one of those that lead to it from the root."""
    if not path.is_symlink():
        return False
    above = (root / part for part in path.relative_to(root).parents)
    return path.resolve() in {one.resolve() for one in above}


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order 2 before 10, and names by their letters."""
    parts = name.split("/")
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)
