"""Annotation formats of detection data, told apart by looking."""

from __future__ import annotations

from pathlib import Path

from models.data.looking import is_hidden
from models.data.split_lists import apply_lists
from models.detection.data.annotations import RawDataset
from models.detection.data.formats import coco, tables, voc, yolo

_FORMATS = (coco, voc, yolo)
# Archives often hold one folder that holds the data.
_DEPTH = 2


def recognise(folder: Path) -> str | None:
    """Name the format of a raw folder: `coco`, `voc`, `yolo`, `table`; None if it's none of them.

    The data may lie up to two folders deeper, as it often does in archives. Where no layout fits,
    COCO's and Pascal VOC's annotation files, and tables with boxes, are looked for anywhere.

    Raises:
        ValueError: it holds several datasets.
    """
    found = _find(folder)
    return found[0] if found else None


def read(folder: Path, *, difficult: bool = True) -> RawDataset:
    """Read the annotations of a raw folder in whatever format it has.

    Args:
        folder: The folder, or one that holds it.
        difficult: Keep objects that a Pascal VOC file marks as difficult.

    Raises:
        ValueError: no known format, several datasets, or files that aren't what they should be.
    """
    found = _find(folder)
    if found is None:
        raise ValueError(
            f"no known annotations in {folder}: expected train|val|test/labels.json with data/ "
            "beside (COCO), train|valid|test/_annotations.coco.json (Roboflow), Annotations/ and "
            "JPEGImages/ (Pascal VOC), data.yaml, images/ and labels/, or classes.txt (YOLO), or "
            "COCO's JSON, Pascal VOC's XML or a table with boxes anywhere"
        )
    name, root = found
    if name == voc.NAME:
        raw = voc.read(root, difficult)
    else:
        raw = {coco.NAME: coco.read, yolo.NAME: yolo.read, tables.NAME: tables.read}[name](root)
    apply_lists(root, raw)
    return raw


def _find(folder: Path) -> tuple[str, Path] | None:
    level = [folder]
    for _ in range(_DEPTH + 1):
        hits = [(form.NAME, place) for place in level for form in _FORMATS if form.matches(place)]
        if len({place for _, place in hits}) > 1:
            names = ", ".join(place.relative_to(folder).as_posix() for _, place in hits[:4])
            raise ValueError(f"{folder} holds several datasets ({names}): give the path of one")
        if hits:
            return hits[0]
        level = [
            child
            for place in level
            if place.is_dir()
            for child in sorted(place.iterdir())
            if child.is_dir() and not is_hidden(Path(child.name))
        ]
        if len(level) > 100:
            break
    for form in (coco, voc, tables):
        if form.matches_somewhere(folder):
            return form.NAME, folder
    return None
