"""Pascal VOC: `Annotations/*.xml`, `JPEGImages/`, and `ImageSets/Main/*.txt` if there are any.

VOC counts pixels from 1 and its boxes include their last pixel (VOC2012 development kit, section
8.1): xmin 1, xmax 10 covers ten pixels. Here that's the box from 0 to 10.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from models.detection.data.annotations import UNSPLIT, AnnotatedPicture, RawDataset, as_boxes
from models.families import Rejected

NAME = "voc"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".JPG", ".JPEG", ".PNG")


def matches(folder: Path) -> bool:
    """Whether the folder is laid out like a Pascal VOC year."""
    annotations = folder / "Annotations"
    return (
        annotations.is_dir()
        and (folder / "JPEGImages").is_dir()
        and next(annotations.glob("*.xml"), None) is not None
    )


def read(folder: Path, difficult: bool = True) -> RawDataset:
    """Read a folder for which `matches` holds.

    Classes are those that occur, in alphabetical order, with ids from 1.

    Args:
        folder: Holds `Annotations` and `JPEGImages`.
        difficult: Keep objects marked as difficult.
    """
    raw = RawDataset(NAME)
    sets = _image_sets(folder)
    stems = sorted({stem for names in sets.values() for stem in names})
    parsed: dict[str, tuple[AnnotatedPicture, list[str]]] = {}
    for stem in stems:
        found = _parse(folder, stem, difficult, raw)
        if found is not None:
            parsed[stem] = found
    for name in sorted({name for _, names in parsed.values() for name in names}):
        raw.class_index(name)
    for picture, names in parsed.values():
        picture.labels = np.array([raw.classes.index(name) for name in names], np.int64)
    for split, names in sets.items():
        raw.splits[split] = [parsed[stem][0] for stem in names if stem in parsed]
    _note_unlisted(folder, stems, raw)
    return raw


def _image_sets(folder: Path) -> dict[str, list[str]]:
    """Names of pictures by split, sorted, each once."""
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
    stems = {path.stem for path in (folder / "Annotations").glob("*.xml")}
    return {UNSPLIT: sorted(stems)}


def _names(path: Path) -> list[str]:
    # A class's own list has a second column, 1 or -1; the names may hold spaces.
    names = set()
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        name = line.strip()
        head, _, last = name.rpartition(" ")
        if last in ("1", "-1", "0") and head:
            name = head.strip()
        if name:
            names.add(name)
    return sorted(names)


def _parse(
    folder: Path, stem: str, difficult: bool, raw: RawDataset
) -> tuple[AnnotatedPicture, list[str]] | None:
    path = folder / "Annotations" / f"{stem}.xml"
    item = f"Annotations/{stem}.xml"
    if Path(stem).is_absolute() or ".." in Path(stem).parts:
        raw.rejected.append(Rejected(stem, "the name leads out of the dataset"))
        return None
    if not path.is_file():
        raw.rejected.append(Rejected(item, "the file is missing"))
        return None
    content = path.read_bytes()
    plain = content.replace(b"\0", b"")  # UTF-16 too
    if b"<!ENTITY" in plain or b"<!DOCTYPE" in plain:
        raw.rejected.append(Rejected(item, "it defines XML entities, which no annotation needs"))
        return None
    try:
        root = ET.fromstring(content)  # noqa: S314 - see above
    except ET.ParseError as error:
        raw.rejected.append(Rejected(item, f"it isn't XML: {error}"))
        return None
    boxes, names = [], []
    for number, element in enumerate(root.iterfind("object"), 1):
        name = (element.findtext("name") or "").strip()
        box = _box(element)
        if not name:
            raw.rejected.append(Rejected(f"{item}: object {number}", "it has no class"))
        elif box is None:
            raw.rejected.append(Rejected(f"{item}: object {number}", "its box isn't four numbers"))
        elif difficult or (element.findtext("difficult") or "0").strip() != "1":
            boxes.append(box)
            names.append(name)
    file = _picture_file(folder, stem, root.findtext("filename"))
    picture = AnnotatedPicture(
        file=file,
        name=file.relative_to(folder).as_posix(),
        size=_size(root),
        boxes=as_boxes(boxes),
        labels=np.zeros(len(boxes), np.int64),
        crowd=np.zeros(len(boxes), np.bool_),
    )
    return picture, names


def _picture_file(folder: Path, stem: str, named: str | None) -> Path:
    """The picture of an annotation: by its own name first, as the tools of VOC do."""
    pictures = folder / "JPEGImages"
    for suffix in _SUFFIXES:
        if (pictures / f"{stem}{suffix}").is_file():
            return pictures / f"{stem}{suffix}"
    if named:
        # Some tools write the labeller's whole path.
        other = pictures / named.strip().replace("\\", "/").rsplit("/", 1)[-1]
        if other.is_file():
            return other
    return pictures / f"{stem}.jpg"


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


def _note_unlisted(folder: Path, stems: list[str], raw: RawDataset) -> None:
    listed = set(stems)
    annotated = {path.stem for path in (folder / "Annotations").glob("*.xml")}
    bare = sorted(
        path.name
        for path in (folder / "JPEGImages").iterdir()
        if path.suffix in _SUFFIXES and path.stem not in annotated and path.stem not in listed
    )
    raw.rejected += [Rejected(f"JPEGImages/{name}", "it has no annotation file") for name in bare]
    if unlisted := len(annotated - listed):
        raw.notes.append(f"{unlisted} annotation files are in none of ImageSets/Main's lists")
