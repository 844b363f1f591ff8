"""Pascal VOC: `Annotations/*.xml`, `JPEGImages/`, and `ImageSets/Main/*.txt` if there are any.

Labelling tools write the same XML files into other folders, often beside the pictures; these are
looked for.

VOC counts pixels from 1 and its boxes include their last pixel (VOC2012 development kit, section
8.1): xmin 1, xmax 10 covers ten pixels. Here that's the box from 0 to 10.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from models.data.looking import files_below
from models.data.pictures import PICTURE_SUFFIXES
from models.data.raw import UNSPLIT
from models.data.splits import split_in
from models.detection.data.annotations import AnnotatedPicture, RawDataset, as_boxes, is_name
from models.outcomes import Rejected

NAME = "voc"


def matches(folder: Path) -> bool:
    """Whether the folder is laid out like a Pascal VOC year."""
    annotations = folder / "Annotations"
    return (
        annotations.is_dir()
        and (folder / "JPEGImages").is_dir()
        and next(annotations.glob("*.xml"), None) is not None
    )


def matches_somewhere(folder: Path) -> bool:
    """Whether Pascal VOC's annotation files lie anywhere in the folder."""
    return any(map(_is_annotation, files_below(folder, (".xml",))))


def read(folder: Path, difficult: bool = True) -> RawDataset:
    """Read a folder for which `matches` or `matches_somewhere` holds.

    Classes are those that occur, in alphabetical order, with ids from 1. Where the layout is
    another one, the folders' names say the split, if no list of `ImageSets/Main` does, and a
    picture is found by the annotation's name, the nearest first.

    Args:
        folder: Holds the annotations.
        difficult: Keep objects marked as difficult.
    """
    raw = RawDataset(NAME)
    entries = _entries(folder) if matches(folder) else _entries_anywhere(folder)
    sets = _image_sets(folder, entries)
    parsed: dict[str, tuple[AnnotatedPicture, list[str]]] = {}
    for name in sorted({name for names in sets.values() for name in names}):
        found = _parse(folder, name, entries.get(name), difficult, raw)
        if found is not None:
            parsed[name] = found
    for name in sorted({name for _, names in parsed.values() for name in names}):
        raw.class_index(name)
    for picture, names in parsed.values():
        picture.labels = np.array([raw.classes.index(name) for name in names], np.int64)
    for split, names in sets.items():
        raw.splits[split] = [parsed[name][0] for name in names if name in parsed]
    _note_unlisted(folder, {name for names in sets.values() for name in names}, entries, raw)
    return raw


@dataclass(frozen=True)
class _Entry:
    """An annotation file."""

    file: Path
    pictures: Mapping[str, Sequence[Path]]
    """Where to look for its picture: files by their names without suffix."""


def _entries(folder: Path) -> dict[str, _Entry]:
    """Annotation files by the name that lists use."""
    pictures = _by_stem(file for file in (folder / "JPEGImages").iterdir())
    return {
        file.stem: _Entry(file, pictures) for file in sorted((folder / "Annotations").glob("*.xml"))
    }


def _entries_anywhere(folder: Path) -> dict[str, _Entry]:
    pictures = _by_stem(files_below(folder, PICTURE_SUFFIXES))
    files = [file for file in files_below(folder, (".xml",)) if _is_annotation(file)]
    stems = [file.stem for file in files]
    if len(set(stems)) == len(stems):
        return {file.stem: _Entry(file, pictures) for file in files}
    return {file.relative_to(folder).as_posix(): _Entry(file, pictures) for file in files}


def _is_annotation(file: Path) -> bool:
    with file.open("rb") as opened:
        return b"<annotation" in opened.read(4096).replace(b"\0", b"")


def _by_stem(files: Iterable[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in files:
        if file.suffix.lower() in PICTURE_SUFFIXES:
            found.setdefault(file.stem, []).append(file)
    return found


def _image_sets(folder: Path, entries: Mapping[str, _Entry]) -> dict[str, list[str]]:
    """Names of annotations by split, sorted, each once."""
    main = folder / "ImageSets" / "Main"
    lists = {
        name: _names(main / f"{name}.txt")
        for name in ("train", "val", "test", "trainval")
        if (main / f"{name}.txt").is_file()
    }
    together = lists.pop("trainval", [])
    if together and "train" not in lists and "val" not in lists:
        lists["train"] = together
    lists = {name: names for name, names in lists.items() if names}
    if lists:
        return lists
    by_folder: dict[str, list[str]] = {}
    for name, entry in sorted(entries.items()):
        folders = entry.file.relative_to(folder).parts[:-1]
        split = next((found for one in folders if (found := split_in(one))), UNSPLIT)
        by_folder.setdefault(split, []).append(name)
    if len(by_folder) > 1 and UNSPLIT in by_folder:
        by_folder = {UNSPLIT: sorted(name for names in by_folder.values() for name in names)}
    return by_folder or {UNSPLIT: []}


def _names(path: Path) -> list[str]:
    # A class's own list has a second column, 1 or -1; the names may hold spaces.
    names = set()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"ImageSets/Main/{path.name} isn't UTF-8 text: save it as UTF-8") from None
    for line in lines:
        name = line.strip()
        head, _, last = name.rpartition(" ")
        if last in ("1", "-1", "0") and head:
            name = head.strip()
        if name:
            names.add(name)
    return sorted(names)


def _parse(
    folder: Path, name: str, entry: _Entry | None, difficult: bool, raw: RawDataset
) -> tuple[AnnotatedPicture, list[str]] | None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raw.rejected.append(Rejected(name, "the name leads out of the dataset"))
        return None
    if entry is None:
        raw.rejected.append(Rejected(f"Annotations/{name}.xml", "the file is missing"))
        return None
    item = entry.file.relative_to(folder).as_posix()
    content = entry.file.read_bytes()
    plain = content.replace(b"\0", b"")  # UTF-16 too
    if b"<!ENTITY" in plain or b"<!DOCTYPE" in plain:
        raw.rejected.append(Rejected(item, "it defines XML entities, which no annotation needs"))
        return None
    try:
        root = _tree(content)
    except (ET.ParseError, ValueError) as error:
        raw.rejected.append(Rejected(item, f"it isn't XML: {error}"))
        return None
    boxes, names = [], []
    for number, element in enumerate(root.iterfind("object"), 1):
        name = (element.findtext("name") or "").strip()
        box = _box(element)
        if not is_name(name):
            raw.rejected.append(Rejected(f"{item}: object {number}", "it has no class"))
        elif box is None:
            raw.rejected.append(Rejected(f"{item}: object {number}", "its box isn't four numbers"))
        elif difficult or (element.findtext("difficult") or "0").strip() != "1":
            boxes.append(box)
            names.append(name)
    file = _picture_file(entry, root.findtext("filename"))
    picture = AnnotatedPicture(
        file=file,
        name=file.relative_to(folder).as_posix(),
        size=_size(root),
        boxes=as_boxes(boxes),
        labels=np.zeros(len(boxes), np.int64),
        crowd=np.zeros(len(boxes), np.bool_),
    )
    return picture, names


def _tree(content: bytes) -> ET.Element:
    r"""Parse XML that defines no entities.

    Tools wrote paths (`C:\Bilder\Köln`) in the system's own encoding without saying so: such
    text is let through where nothing that counts is in it. Class names are never guessed.

    Raises:
        ET.ParseError: it isn't XML, or its names are in an encoding that it doesn't state.
        ValueError: it states an encoding that Python doesn't know.
    """
    try:
        return ET.fromstring(content)  # noqa: S314 - the caller has looked for entities
    except ET.ParseError:
        root = ET.fromstring(content.decode("latin-1"))  # noqa: S314
        counts = ("filename", "object/name")
        if not all(
            (element.text or "").isascii() for path in counts for element in root.iterfind(path)
        ):
            raise
        return root


def _picture_file(entry: _Entry, named: str | None) -> Path:
    """The picture of an annotation: by its own name first, as the tools of VOC do."""
    # Some tools write the labeller's whole path.
    inside = PurePosixPath((named or "").strip().replace("\\", "/").rsplit("/", 1)[-1])
    found = entry.pictures.get(entry.file.stem) or [
        file for file in entry.pictures.get(inside.stem, ()) if file.name == inside.name
    ]

    def far(file: Path) -> tuple[int, int, bool, str]:
        between = os.path.relpath(file, entry.file.parent)
        # images/train is as far from annotations/train as images/val is.
        alike = len(set(file.parent.parts) & set(entry.file.parent.parts))
        return len(Path(between).parts), -alike, file.name != inside.name, between

    if found:
        return min(found, key=far)
    beside = entry.file.parent.with_name("JPEGImages")
    missing = f"{entry.file.stem}.jpg"
    return beside / missing if beside.is_dir() else entry.file.with_name(missing)


def _box(element: ET.Element) -> list[float] | None:
    try:
        x0, y0, x1, y1 = (
            float(element.findtext(f"bndbox/{name}") or "")
            for name in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        return None
    return [x0 - 1, y0 - 1, x1, y1]


def _size(root: ET.Element) -> tuple[int, int] | None:
    try:
        width = int(float(root.findtext("size/width") or ""))
        height = int(float(root.findtext("size/height") or ""))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _note_unlisted(
    folder: Path, listed: Set[str], entries: Mapping[str, _Entry], raw: RawDataset
) -> None:
    pictures = next((entry.pictures for entry in entries.values()), {})
    annotated = {entry.file.stem for entry in entries.values()} | listed
    used = {picture.file for pictures in raw.splits.values() for picture in pictures}
    bare = sorted(
        file.relative_to(folder).as_posix()
        for stem, files in pictures.items()
        for file in files
        if stem not in annotated and file not in used
    )
    raw.rejected += [Rejected(name, "it has no annotation file") for name in bare]
    if unlisted := len(entries.keys() - listed):
        raw.notes.append(f"{unlisted} annotation files are in none of ImageSets/Main's lists")
