"""YOLO: a text file for each picture with a line for each box.

A line is class, centre x, centre y, width, height. The numbers are shares of the picture's size;
a line of three or more points is a polygon, as segmentation data have it, and becomes the box
around it. Layouts in use:

- `data.yaml` with `names` and `train`, `val`, `test`: folders or lists of pictures (Ultralytics,
  Roboflow);
- `images/<split>/` and `labels/<split>/`, or `<split>/images/` and `<split>/labels/`;
- pictures and texts in one folder, with `classes.txt` or `obj.names` (darknet, labelImg).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from models.data.raw import UNSPLIT
from models.detection.data.annotations import AnnotatedPicture, RawDataset, as_boxes, is_name
from models.detection.data.formats.yolo_layouts import (
    Description,
    describe,
    inside,
    label_file,
    listed,
    named,
    pictures_in,
    places,
)
from models.outcomes import Rejected

NAME = "yolo"
_ORIENTATION = 0x0112


def matches(folder: Path) -> bool:
    """Whether the folder holds YOLO data."""
    if not folder.is_dir():
        return False
    if describe(folder) is not None:
        return True
    found = places(folder)
    if any(split != UNSPLIT or home != [folder] for split, home in found.items()):
        return True
    return bool(found) and named(folder) is not None  # texts beside pictures can be anything


def read(folder: Path) -> RawDataset:
    """Read a folder for which `matches` holds.

    A picture without a text file, or with an empty one, has no objects. Category ids are YOLO's
    class numbers.

    Raises:
        ValueError: the description isn't what it should be, or a split isn't there.
    """
    raw = RawDataset(NAME)
    description = describe(folder)
    if description is not None:
        names = description.names
        pictures = _described(folder, description, raw)
    else:
        names = named(folder) or {}
        pictures = {
            split: sorted({file for place in found for file in pictures_in(place)})
            for split, found in places(folder).items()
        }
    index_of = _classes(names, raw)
    unlabelled = 0
    rows: list[tuple[str, Path, list[tuple[int, list[float]]]]] = []
    for split, files in pictures.items():
        raw.splits[split] = []
        for file in files:
            text = label_file(folder, file)
            unlabelled += not text.is_file()
            rows.append((split, file, _lines(folder, text, raw) if text.is_file() else []))
    if not names:
        for number in sorted({number for _, _, lines in rows for number, _ in lines}):
            index_of[number] = raw.class_index(str(number), number)
        raw.notes.append("no file names the classes (classes.txt, data.yaml): they are numbers")
    for split, file, lines in rows:
        raw.splits[split].append(_picture(folder, file, lines, index_of, raw))
    if unlabelled:
        raw.notes.append(
            f"{unlabelled} pictures have no text file: they count as pictures with no object"
        )
    return raw


def _classes(names: Mapping[int, str], raw: RawDataset) -> dict[int, int]:
    """Make the classes; gives the index of each of YOLO's class numbers."""
    index_of: dict[int, int] = {}
    for number, name in sorted(names.items()):
        if not is_name(name):
            raw.rejected.append(Rejected(f"class {number} ({name!r})", "its name isn't printable"))
            continue
        if name in raw.classes:
            raw.notes.append(f"class {number} is called {name} as another is: they count as one")
        index_of[number] = raw.class_index(name, number)
    return index_of


def _described(folder: Path, description: Description, raw: RawDataset) -> dict[str, list[Path]]:
    """Pictures by split, as a YAML file has them."""
    pictures: dict[str, list[Path]] = {}
    for split, entries in description.splits.items():
        if split != "train" and not any(inside(folder, entry) for entry in entries):
            # Exports often name a test split that they don't have.
            raw.notes.append(f"{description.file.name}: there is no '{entries[0]}'")
            continue
        if split != "train" and entries == description.splits.get("train"):
            # COCO128 and other samples do, to have something there.
            raw.notes.append(
                f"{description.file.name}: {split} is train once more ('{entries[0]}'), which "
                f"measures nothing: it is left out"
            )
            continue
        pictures[split] = [f for entry in entries for f in listed(folder, description, entry)]
    return pictures


def _lines(folder: Path, file: Path, raw: RawDataset) -> list[tuple[int, list[float]]]:
    """Class number and box of each good line: centre x, centre y, width, height as shares."""
    item = file.relative_to(folder).as_posix()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raw.rejected.append(Rejected(item, "it isn't UTF-8 text"))
        return []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.split():
            try:
                found.append(_box(words))
            except ValueError as error:
                raw.rejected.append(Rejected(f"{item}: line {number}", str(error)))
    return found


def _box(words: list[str]) -> tuple[int, list[float]]:
    try:
        label, values = float(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        raise ValueError("it isn't made of numbers") from None
    if not label.is_integer() or label < 0:
        raise ValueError(f"'{words[0]}' is no class number")
    if len(values) == 4:
        return int(label), values
    if len(values) >= 6 and len(values) % 2 == 0:
        xs, ys = values[::2], values[1::2]
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        return int(label), box
    raise ValueError(
        f"it has {len(words)} numbers: a box has 5 (class, centre x, centre y, width, height), a "
        "polygon a class and at least three points"
    )


def _picture(
    folder: Path,
    file: Path,
    lines: list[tuple[int, list[float]]],
    index_of: Mapping[int, int],
    raw: RawDataset,
) -> AnnotatedPicture:
    name = file.relative_to(folder).as_posix()
    size = _size(file)
    known = []
    for number, box in lines:
        if number in index_of:
            known.append((index_of[number], box))
        else:
            raw.rejected.append(Rejected(name, f"class {number} has no name that can be used"))
    boxes = as_boxes([box for _, box in known]) if size else as_boxes([])
    labels = np.array([index for index, _ in known] if size else [], np.int64)
    half = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return AnnotatedPicture(
        file=file,
        name=name,
        size=size,
        boxes=corners * np.array([*(size or (1, 1))] * 2, np.float64),
        labels=labels,
        crowd=np.zeros(len(labels), np.bool_),
    )


def _size(file: Path) -> tuple[int, int] | None:
    """Width and height of the upright picture; None if it can't be told, which checking reports."""
    try:
        with Image.open(file) as opened:
            turned = opened.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            width, height = opened.size
    except Exception:  # whatever a broken file makes of a decoder
        return None
    return (height, width) if turned else (width, height)
