"""Put a raw dataset together from annotations and pictures that are named for each split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.data.looking import files_below
from models.data.pictures import PICTURE_SUFFIXES
from models.data.writing import link_or_copy
from models.detection.data.formats.coco_layouts import LABELS

_NAME_FILES = ("classes.txt", "obj.names")


@dataclass(frozen=True)
class Part:
    """Where a split's annotations and pictures lie."""

    annotations: Path
    """A COCO file, or a folder of YOLO texts or of Pascal VOC's XML files."""
    pictures: Path
    """The folder that their names start from."""


def assemble(parts: Mapping[str, Part], target: Path) -> None:
    """Lay the splits out as one dataset in a format that is read; pictures are hard-linked.

    Of the pictures only those are taken that the annotations name: several splits may share one
    folder. What an annotation names and isn't there is set aside when the data are checked.

    Args:
        parts: by `train`, `val` and `test`.
        target: folder to make.

    Raises:
        ValueError: something isn't there, or the splits have different formats.
    """
    kinds = {split: _kind(split, part) for split, part in parts.items()}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{split} {kind}" for split, kind in kinds.items())
        raise ValueError(f"the splits' annotations have different formats: {told}")
    for split, part in parts.items():
        {"coco": _coco, "voc": _voc, "yolo": _yolo}[kinds[split]](split, part, target)


def _kind(split: str, part: Part) -> str:
    if not part.pictures.is_dir():
        raise ValueError(f"{split}: there is no folder of pictures {part.pictures}")
    if part.annotations.is_file() and part.annotations.suffix.lower() == ".json":
        return "coco"
    for kind, pattern in (("voc", "*.xml"), ("yolo", "*.txt")):
        if part.annotations.is_dir() and any(part.annotations.rglob(pattern)):
            return kind
    raise ValueError(
        f"{split}: {part.annotations} is neither a COCO file (.json) nor a folder of YOLO texts or "
        f"of Pascal VOC's XML files"
    )


def _coco(split: str, part: Part, target: Path) -> None:
    home = target / split
    (home / "data").mkdir(parents=True)
    shutil.copyfile(part.annotations, home / LABELS)
    try:
        rows = json.loads(part.annotations.read_bytes()).get("images", [])
    except (ValueError, AttributeError):
        return  # reading it says what is wrong
    for row in rows if isinstance(rows, list) else []:
        name = row.get("file_name") if isinstance(row, dict) else None
        if not isinstance(name, str):
            continue
        path = PurePosixPath(name.replace("\\", "/"))
        if not path.is_absolute() and ".." not in path.parts:
            _link(part.pictures / path, home / "data" / path)


def _yolo(split: str, part: Part, target: Path) -> None:
    texts = {
        file.relative_to(part.annotations).with_suffix("")
        for file in part.annotations.rglob("*.txt")
        if file.name not in _NAME_FILES
    }
    for stem in texts:
        _link(part.annotations / f"{stem}.txt", target / "labels" / split / f"{stem}.txt")
    for file in _pictures(part.pictures):
        if file.relative_to(part.pictures).with_suffix("") in texts:
            _link(file, target / "images" / split / file.relative_to(part.pictures))
    named = [
        folder / name
        for folder in (part.annotations, part.annotations.parent, part.annotations.parent.parent)
        for name in _NAME_FILES
    ]
    for file in named:
        if file.is_file():
            known = target / "classes.txt"
            if known.is_file() and known.read_bytes() != file.read_bytes():
                raise ValueError(f"{split}: {file} names other classes than another split's file")
            shutil.copyfile(file, known)
            return


def _voc(split: str, part: Part, target: Path) -> None:
    by_stem = {file.stem: file for file in _pictures(part.pictures)}
    lists = target / "ImageSets" / "Main"
    lists.mkdir(parents=True, exist_ok=True)
    (target / "JPEGImages").mkdir(exist_ok=True)
    names = []
    for file in sorted(part.annotations.rglob("*.xml")):
        place = target / "Annotations" / file.name
        if place.exists():
            raise ValueError(
                f"{split}: an annotation {file.name} is in another split too; a picture's name may "
                f"occur once in Pascal VOC"
            )
        _link(file, place)
        names.append(file.stem)
        if file.stem in by_stem:
            picture = by_stem[file.stem]
            _link(picture, target / "JPEGImages" / picture.name)
    (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _pictures(folder: Path) -> list[Path]:
    return files_below(folder, PICTURE_SUFFIXES)


def _link(source: Path, place: Path) -> None:
    if source.is_file() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source, place)
