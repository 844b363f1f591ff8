"""Where YOLO's pictures, texts and class names lie in a raw folder.

Names of folders count in any case (`Images/Train`).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from models.data.looking import files_below, walk
from models.data.pictures import PICTURE_SUFFIXES
from models.data.raw import UNSPLIT
from models.data.splits import split_in, split_name

_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt", "images/classes.txt")
_NO_LABELS = frozenset({"classes.txt", "readme.txt", "readme.roboflow.txt", "readme.dataset.txt"})
_NOTHING = ("", "null", "~")
"""How YAML says that a split isn't there."""


@dataclass(frozen=True)
class Description:
    """What a YAML file says."""

    file: Path
    names: dict[int, str]
    splits: dict[str, list[str]]
    """Folders and lists of pictures, as written down."""


def describe(folder: Path) -> Description | None:
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
                return Description(file, _names(file, content["names"]), splits)
    return None


def _names(file: Path, names: Any) -> dict[int, str]:
    if isinstance(names, list):
        names = dict(enumerate(names))
    if isinstance(names, Mapping) and all(
        str(key).isdecimal() and isinstance(name, str) for key, name in names.items()
    ):
        return {int(key): name for key, name in names.items()}
    raise ValueError(f"{file.name}: 'names' should be a list, or a map from number to name")


def named(folder: Path) -> dict[int, str] | None:
    """Class names by number, from a file with one a line, if there is one."""
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


def places(folder: Path) -> dict[str, list[Path]]:
    """Folders of pictures by split, where no YAML file names them; those without labels are none.

    In each layout the texts lie where `label_file` looks for them.
    """
    found: dict[str, list[Path]] = {}
    images = _called(folder, "images")
    texts = _texts_for(images) if images else None
    for child in _folders(images) if images else []:
        if texts and (split := split_in(child.name)) and (texts / child.name).is_dir():
            found.setdefault(split, []).append(child)
    for child in _folders(folder):
        if (split := split_in(child.name)) is None:
            continue
        below = _called(child, "images")
        if below and _texts_for(below).is_dir():
            found.setdefault(split, []).append(below)
        elif _has_texts(child.glob("*")):
            found.setdefault(split, []).append(child)
    if found:
        return found
    if images and texts and texts.is_dir():
        return {UNSPLIT: [images]} if _has_texts(walk(texts)) else {}
    return {UNSPLIT: [folder]} if _has_texts(folder.glob("*")) else {}


def _called(folder: Path, name: str) -> Path | None:
    """The folder inside another that is called so, in any case."""
    exact = folder / name
    if exact.is_dir():
        return exact
    return next((child for child in _folders(folder) if child.name.lower() == name), None)


def _texts_for(images: Path) -> Path:
    """The folder of texts that goes with a folder called `images`."""
    return _called(images.parent, "labels") or images.with_name("labels")


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []


def _has_texts(files: Iterable[Path]) -> bool:
    return any(
        file.suffix.lower() == ".txt" and file.name.lower() not in _NO_LABELS for file in files
    )


def listed(folder: Path, description: Description, entry: str) -> list[Path]:
    """Pictures of one entry of a YAML file: of a folder, or those that a text file lists."""
    place = inside(folder, entry)
    if place is None:
        raise ValueError(
            f"{description.file.name}: there is no '{entry}' in {folder}; give paths from the "
            f"folder of {description.file.name}"
        )
    if place.is_dir():
        return pictures_in(place)
    found = []
    for line in _text_lines(folder, place):
        if line.strip():
            file = inside(folder, line.strip())
            # One that is missing is reported as such when its picture is checked.
            found.append(file or folder / PurePosixPath(line.strip().replace("\\", "/")).name)
    return sorted(set(found))


def inside(folder: Path, entry: str) -> Path | None:
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


def pictures_in(folder: Path) -> list[Path]:
    """Pictures anywhere below a folder, in fixed order."""
    return files_below(folder, PICTURE_SUFFIXES)


def label_file(folder: Path, picture: Path) -> Path:
    """The text of a picture: below `labels` where the picture lies below `images`, or beside it."""
    text = picture.with_suffix(".txt")
    parts = list(picture.relative_to(folder).parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place].lower() == "images":
            texts = _texts_for(folder.joinpath(*parts[: place + 1]))
            text = texts.joinpath(*parts[place + 1 :]).with_suffix(".txt")
            break
    loud = text.with_suffix(".TXT")
    return loud if not text.is_file() and loud.is_file() else text
