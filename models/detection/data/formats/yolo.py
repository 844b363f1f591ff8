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

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml
from PIL import Image

from models.data.pictures import PICTURE_SUFFIXES
from models.data.raw import UNSPLIT
from models.data.splits import split_in, split_name
from models.detection.data.annotations import AnnotatedPicture, RawDataset, as_boxes
from models.families import Rejected

NAME = "yolo"
_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt", "images/classes.txt")
_NO_LABELS = frozenset({"classes.txt", "readme.txt", "readme.roboflow.txt", "readme.dataset.txt"})
_ORIENTATION = 0x0112
_NOTHING = ("", "null", "~")
"""How YAML says that a split isn't there."""


@dataclass(frozen=True)
class _Description:
    """What a YAML file says."""

    file: Path
    names: dict[int, str]
    splits: dict[str, list[str]]
    """Folders and lists of pictures, as written down."""


def matches(folder: Path) -> bool:
    """Whether the folder holds YOLO data."""
    if not folder.is_dir():
        return False
    if _description(folder) is not None:
        return True
    places = _places(folder)
    if any(name != UNSPLIT or "labels" in {p.name for p in dirs} for name, dirs in places.items()):
        return True
    return bool(places) and _named(folder) is not None


def read(folder: Path) -> RawDataset:
    """Read a folder for which `matches` holds.

    A picture without a text file, or with an empty one, has no objects. Category ids are YOLO's
    class numbers.

    Raises:
        ValueError: the description isn't what it should be, or a split isn't there.
    """
    raw = RawDataset(NAME)
    description = _description(folder)
    if description is not None:
        names = description.names
        pictures = {}
        for split, entries in description.splits.items():
            if split != "train" and not any(_inside(folder, entry) for entry in entries):
                # Exports often name a test split that they don't have.
                raw.notes.append(f"{description.file.name}: there is no '{entries[0]}'")
                continue
            pictures[split] = [f for entry in entries for f in _listed(folder, description, entry)]
    else:
        names = _named(folder) or {}
        pictures = {
            split: sorted({file for place in places for file in _pictures_in(place)})
            for split, places in _places(folder).items()
        }
    for number, name in sorted(names.items()):
        raw.class_index(name, number)
    index_of = {number: raw.classes.index(name) for number, name in names.items()}
    unlabelled = 0
    rows: list[tuple[str, Path, list[tuple[int, list[float]]]]] = []
    for split, files in pictures.items():
        raw.splits[split] = []
        for file in files:
            text = _label_file(folder, file)
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


def _description(folder: Path) -> _Description | None:
    """Find the YAML file that names classes and splits, if there is one."""
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        text = file.read_bytes()
        try:
            # BaseLoader: names are text, and `007` or `no` stay what they are. It takes UTF-16 too.
            content = yaml.load(text.removeprefix(codecs.BOM_UTF8), Loader=yaml.BaseLoader)  # noqa: S506 - makes text, lists and maps only
        except (yaml.reader.ReaderError, UnicodeDecodeError):
            if b"names" in text:
                raise ValueError(f"{file.name} isn't UTF-8 text: save it as UTF-8") from None
            continue
        except (yaml.YAMLError, RecursionError):
            continue
        if isinstance(content, dict) and "names" in content:
            splits = {
                split: [value] if isinstance(value, str) else [str(one) for one in value]
                for key, value in content.items()
                if (split := split_name(str(key))) and value not in _NOTHING
            }
            if splits:
                return _Description(file, _names(file, content["names"]), splits)
    return None


def _names(file: Path, names: Any) -> dict[int, str]:
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, Mapping) and all(str(key).isdecimal() for key in names):
        return {int(key): str(name) for key, name in names.items()}
    raise ValueError(f"{file.name}: 'names' should be a list, or a map from number to name")


def _named(folder: Path) -> dict[int, str] | None:
    for name in _NAME_FILES:
        if (folder / name).is_file():
            lines = _text_lines(folder, folder / name)
            return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    return None


def _text_lines(folder: Path, file: Path) -> list[str]:
    """Lines of a file that the whole dataset hangs on.

    Raises:
        ValueError: it isn't UTF-8 text; guessing would give classes and pictures wrong names.
    """
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        name = file.relative_to(folder).as_posix()
        raise ValueError(f"{name} isn't UTF-8 text: save it as UTF-8") from None


def _places(folder: Path) -> dict[str, list[Path]]:
    """Folders of pictures by split, where no YAML file names them; those without labels are none.

    In each layout the texts lie where `_label_file` looks for them.
    """
    found: dict[str, list[Path]] = {}
    for child in _folders(folder / "images"):
        if (split := split_in(child.name)) and (folder / "labels" / child.name).is_dir():
            found.setdefault(split, []).append(child)
    for child in _folders(folder):
        split = split_in(child.name)
        if split and (child / "images").is_dir() and (child / "labels").is_dir():
            found.setdefault(split, []).append(child / "images")
        elif split and _has_texts(child):
            found.setdefault(split, []).append(child)
    if found:
        return found
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return {UNSPLIT: [folder / "images"]} if _has_texts(folder / "labels") else {}
    return {UNSPLIT: [folder]} if _has_texts(folder) else {}


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []


def _has_texts(folder: Path) -> bool:
    return any(file.name.lower() not in _NO_LABELS for file in folder.glob("*.txt"))


def _listed(folder: Path, description: _Description, entry: str) -> list[Path]:
    """Pictures of one entry of a YAML file: of a folder, or those that a text file lists."""
    place = _inside(folder, entry)
    if place is None:
        raise ValueError(
            f"{description.file.name}: there is no '{entry}' in {folder}; give paths from the "
            f"folder of {description.file.name}"
        )
    if place.is_dir():
        return _pictures_in(place)
    found = []
    for line in _text_lines(folder, place):
        if line.strip():
            file = _inside(folder, line.strip())
            # One that is missing is reported as such when its picture is checked.
            found.append(file or folder / PurePosixPath(line.strip().replace("\\", "/")).name)
    return sorted(set(found))


def _inside(folder: Path, entry: str) -> Path | None:
    """The place in the folder that a path means.

    Roboflow's relative paths begin one folder too high. Absolute ones come from another machine:
    they lose their beginning. One part alone (`images`) could then be any split's, so that only
    a file may be found by it.
    """
    path = entry.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    absolute = path.startswith("/") or path[1:2] == ":"
    for first in range(len(parts)) if absolute else (0,):
        place = folder.joinpath(*parts[first:])
        if place.is_file() or (place.is_dir() and (not absolute or len(parts) - first > 1)):
            return place
    return None


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in PICTURE_SUFFIXES
        and file.is_file()
        and not file.name.startswith(".")
    )


def _label_file(folder: Path, picture: Path) -> Path:
    """The text of a picture: below `labels` where the picture lies below `images`, or beside it."""
    parts = list(picture.relative_to(folder).parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            return folder.joinpath(*parts).with_suffix(".txt")
    return picture.with_suffix(".txt")


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
            raw.rejected.append(Rejected(name, f"class {number} has no name"))
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
