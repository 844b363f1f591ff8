"""COCO detection JSON: `split/data + labels.json`, Roboflow's layout, or files in any place.

Format: https://cocodataset.org/#format-data (boxes are x, y, width, height in pixels, 0-based).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from models.data.splits import split_in, split_name
from models.detection.data.annotations import UNSPLIT, AnnotatedPicture, RawDataset, as_boxes
from models.detection.data.formats.looking import files_below, is_hidden
from models.detection.data.masks import mask_box
from models.families import Rejected

NAME = "coco"
LABELS = "labels.json"
_ROBOFLOW = "_annotations.coco.json"


_SAMPLES = 20
_OTHER_TASKS = frozenset({"captions", "info", "keypoints", "panoptic", "stuff", "unlabeled"})
"""Words in names of COCO's files that hold no boxes of objects, or other ones."""


@dataclass(frozen=True)
class _Part:
    """One annotation file and the folder that its file names start from."""

    split: str
    labels: Path
    pictures: Path
    names_only: bool = False
    """The folders in its file names are another machine's: only the last part counts."""


def matches(folder: Path) -> bool:
    """Whether the folder is laid out like one of the two."""
    return bool(_parts(folder))


def matches_somewhere(folder: Path) -> bool:
    """Whether COCO detection JSON lies anywhere in the folder."""
    return bool(_files_anywhere(folder))


def read(folder: Path) -> RawDataset:
    """Read all splits of a folder for which `matches` or `matches_somewhere` holds.

    Where a file lies in neither layout, its split is that which its name or its folders speak of
    (`annotations/instances_train2017.json`), and its pictures are looked for by their names.

    Classes are joined by name over the splits. Roboflow's placeholder class (unused, and named as
    the parent of others) is left out.

    Raises:
        ValueError: a file isn't COCO detection JSON, or two files make one split.
    """
    raw = RawDataset(NAME)
    parts = _parts(folder) or _parts_anywhere(folder, raw)
    contents = [(part, _load(folder, part.labels)) for part in parts]
    contents = [(_with_pictures(folder, part, content), content) for part, content in contents]
    placeholders = _placeholders([content for _, content in contents])
    for part, content in contents:
        if part.split in raw.splits:
            raise ValueError(
                f"two folders of {folder.name} are called like the split '{part.split}'"
            )
        raw.splits[part.split] = _read_part(folder, part, content, placeholders, raw)
    return raw


def _parts(folder: Path) -> list[_Part]:
    parts = []
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = split_name(child.name)
        if name is not None and child.is_dir():
            parts += _labels_in(child, name)
    return parts or _labels_in(folder, UNSPLIT)


def _labels_in(folder: Path, split: str) -> list[_Part]:
    if (folder / LABELS).is_file():
        pictures = folder / "data"
        return [_Part(split, folder / LABELS, pictures if pictures.is_dir() else folder)]
    if (folder / _ROBOFLOW).is_file():
        return [_Part(split, folder / _ROBOFLOW, folder)]
    return []


def _files_anywhere(folder: Path) -> list[Path]:
    """JSON files that are COCO's by the look of their bytes: a large one is not parsed for it."""
    found = []
    for file in files_below(folder, (".json",)):
        if file.stat().st_size == 0:
            continue
        with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as text:
            if all(text.find(b'"%s"' % key) >= 0 for key in (b"images", b"annotations")):
                found.append(file)
    return found


def _parts_anywhere(folder: Path, raw: RawDataset) -> list[_Part]:
    by_split: dict[str, list[Path]] = {}
    for file in _files_anywhere(folder):
        names = (file.stem, *reversed(file.relative_to(folder).parts[:-1]))
        split = next((found for name in names if (found := split_in(name))), UNSPLIT)
        by_split.setdefault(split, []).append(file)
    chosen: dict[str, Path] = {}
    for split, files in by_split.items():
        detection = [f for f in files if not _OTHER_TASKS & set(re.findall("[a-z]+", f.stem))]
        likely = [f for f in detection if "instances" in f.stem] or detection
        if len(likely) > 1:
            which = " and ".join(f.relative_to(folder).as_posix() for f in likely[:3])
            raise ValueError(
                f"several files could hold the annotations of "
                f"{'all pictures' if split == UNSPLIT else split}: {which}; say which with "
                f"data.{'train' if split == UNSPLIT else split}.annotations"
            )
        if likely:
            chosen[split] = likely[0]
    if len(chosen) > 1:
        chosen.pop(UNSPLIT, None)  # all splits once more
    if len(chosen) < sum(map(len, by_split.values())):
        left = [f for files in by_split.values() for f in files if f not in chosen.values()]
        raw.notes.append(
            "not read: " + ", ".join(sorted(f.relative_to(folder).as_posix() for f in left))
        )
    return [_Part(split, file, file.parent) for split, file in chosen.items()]


def _with_pictures(folder: Path, part: _Part, content: Mapping[str, Any]) -> _Part:
    """Find the folder where the pictures are, if they aren't where the layout has them."""
    names = [row["file_name"] for row in content["images"] if isinstance(row.get("file_name"), str)]
    names = names[:: max(len(names) // _SAMPLES, 1)]
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    inside = [path for path in paths if not path.is_absolute() and ".." not in path.parts]
    if not names or _there(part.pictures, inside):
        return part
    folders = [
        place
        for place in (folder, *sorted(folder.rglob("*")))
        if place.is_dir() and not is_hidden(place.relative_to(folder))
    ]

    def fit(place: Path, wanted: Sequence[PurePosixPath]) -> tuple[int, bool, int]:
        its = [found for name in place.relative_to(folder).parts if (found := split_in(name))]
        near = len(Path(os.path.relpath(place, part.labels.parent)).parts)
        return _there(place, wanted), part.split in its, -near

    for names_only, wanted in ((False, inside), (True, [PurePosixPath(p.name) for p in paths])):
        best = max(folders, key=lambda place: fit(place, wanted))
        if _there(best, wanted):
            return _Part(part.split, part.labels, best, names_only)
    return part


def _there(folder: Path, paths: Sequence[PurePosixPath]) -> int:
    # Of `Path.is_file`'s answers some are errors: a name that is too long.
    return sum(os.path.isfile(folder / path) for path in paths)  # noqa: PTH113


def _load(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    try:
        content = json.loads(path.read_bytes())
    except UnicodeDecodeError:
        raise ValueError(f"{name} isn't UTF-8 text: save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} isn't JSON: {error}") from None
    for key in ("images", "annotations", "categories"):
        rows = content.get(key) if isinstance(content, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f"{name} isn't COCO detection JSON: it has no list '{key}'")
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{name} isn't COCO detection JSON: '{key}' holds a non-object")
    found: dict[str, Any] = content
    return found


def _placeholders(contents: Sequence[Mapping[str, Any]]) -> set[str]:
    """Classes that no box has and that other classes name as their parent."""
    used: set[str] = set()
    names: set[str] = set()
    parents: set[str] = set()
    for content in contents:
        by_id = {str(row.get("id")): str(row.get("name")) for row in content["categories"]}
        names |= set(by_id.values())
        used |= {by_id.get(str(row.get("category_id")), "") for row in content["annotations"]}
        parents |= {
            str(row.get("supercategory"))
            for row in content["categories"]
            if row.get("supercategory") != row.get("name")
        }
    return (names & parents) - used


def _read_part(
    folder: Path, part: _Part, content: Mapping[str, Any], placeholders: set[str], raw: RawDataset
) -> list[AnnotatedPicture]:
    where = part.labels.relative_to(folder).as_posix()
    classes: dict[int, int] = {}
    called: dict[int, str] = {}
    for row in content["categories"]:
        name = row.get("name")
        number = _whole(row.get("id"))
        if number is None or not isinstance(name, str) or not _is_name(name):
            item = f"{where}: category {row.get('id')} ({name})"
            reason = "it needs a whole number as id and a printable name"
            raw.rejected.append(Rejected(item, reason))
            continue
        if called.setdefault(number, name) != name:
            # Which of the two a box means can't be told.
            raise ValueError(
                f"{where}: the categories '{called[number]}' and '{name}' have the same id {number}"
            )
        if name not in placeholders:
            classes[number] = raw.class_index(name, number)

    rows, order = _pictures(folder, part, where, content["images"], raw)
    taken: set[int] = set()
    for row in content["annotations"]:
        number = _whole(row.get("id"))
        item = f"{where}: annotation {row.get('id')}"
        if number is not None and number in taken:
            raw.rejected.append(Rejected(item, "its id occurred before"))
            continue
        if number is not None:
            taken.add(number)
        image = _whole(row.get("image_id"))
        category = _whole(row.get("category_id"))
        try:
            box = _box(row)
        except ValueError as error:
            raw.rejected.append(Rejected(item, str(error)))
            continue
        if image is None or image not in rows:
            reason = f"it belongs to picture {row.get('image_id')}, which isn't listed"
        elif category is None or category not in classes:
            reason = f"unknown class id {row.get('category_id')}"
        elif box is None:
            reason = f"its box isn't four numbers: {row.get('bbox')!r}"
        else:
            rows[image].append((box, classes[category], bool(row.get("iscrowd", 0))))
            continue
        raw.rejected.append(Rejected(item, reason))
    for number, picture in order:
        found = rows[number]
        picture.boxes = as_boxes([box for box, _, _ in found])
        picture.labels = np.array([label for _, label, _ in found], np.int64)
        picture.crowd = np.array([crowd for _, _, crowd in found], np.bool_)
    return [picture for _, picture in order]


_Rows = dict[int, list[tuple[list[float], int, bool]]]


def _pictures(
    folder: Path, part: _Part, where: str, images: Iterable[Mapping[str, Any]], raw: RawDataset
) -> tuple[_Rows, list[tuple[int, AnnotatedPicture]]]:
    """The listed pictures with their ids, still without boxes, and room for the boxes by id.

    A picture that is set aside has room too, so that its boxes aren't reported one by one.
    """
    rows: _Rows = {}
    order: list[tuple[int, AnnotatedPicture]] = []
    files: set[str] = set()
    for row in images:
        number, name = _whole(row.get("id")), row.get("file_name")
        item = f"{where}: picture {row.get('id')} ({name})"
        if number is None or not isinstance(name, str) or not name:
            raw.rejected.append(Rejected(item, "it needs a whole number as id and a file name"))
            continue
        if number in rows:
            raw.rejected.append(Rejected(item, "its id occurred before"))
            continue
        rows[number] = []
        path = PurePosixPath(name.replace("\\", "/"))
        if part.names_only:
            path = PurePosixPath(path.name)
        if path.is_absolute() or ".." in path.parts:
            raw.rejected.append(Rejected(item, "its file name leads out of the dataset"))
            continue
        if str(path) in files:
            raw.rejected.append(Rejected(item, "the same file was listed before"))
            continue
        files.add(str(path))
        width, height = _whole(row.get("width")), _whole(row.get("height"))
        file = part.pictures / path
        shown = file.relative_to(folder).as_posix()
        order.append(
            (
                number,
                AnnotatedPicture(
                    file=file,
                    name=shown,
                    size=(width, height) if width and height else None,
                    boxes=as_boxes([]),
                    labels=np.zeros(0, np.int64),
                    crowd=np.zeros(0, np.bool_),
                ),
            )
        )
    return rows, order


def _is_name(text: str) -> bool:
    return text.isprintable() and not text.isspace() and bool(text)


def _whole(value: object) -> int | None:
    """A whole number that was written as one, as 3.0 or as "3"."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    return None


def _box(row: Mapping[str, Any]) -> list[float] | None:
    """The box `xyxy`, from the outline or the mask if there's no box; None if it isn't numbers.

    Raises:
        ValueError: the mask is none; the text is the reason.
    """
    box = row.get("bbox")
    if box is None:
        outlines = row.get("segmentation")
        if isinstance(outlines, dict):
            around = mask_box(outlines)
            if around is None:
                raise ValueError("its mask is empty")
            return around
        if not isinstance(outlines, list) or not outlines:
            return None
        try:
            points = np.concatenate([np.array(line, np.float64) for line in outlines])
            points = points.reshape(-1, 2)
        except (ValueError, TypeError):
            return None
        return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
    if not isinstance(box, list) or len(box) != 4:
        return None
    numbers = []
    for value in box:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        # Compared before it's turned: JSON's whole numbers can be too long for a float.
        number = math.inf if abs(value) >= 1e9 else float(value)
        numbers.append(number)
    x, y, width, height = numbers
    return [x, y, x + width, y + height]


def labels_json(
    pictures: Sequence[tuple[int, str, AnnotatedPicture]],
    classes: Sequence[str],
    category_ids: Sequence[int],
    first_annotation: int = 1,
) -> dict[str, Any]:
    """COCO detection content for pictures whose size is known.

    Args:
        pictures: Of each its id, its file name relative to `data/`, and itself.
        classes: Class names.
        category_ids: Their ids, in the same order.
        first_annotation: Id of the first annotation; the others follow.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, file_name, picture in pictures:
        assert picture.size is not None
        width, height = picture.size
        images.append({"id": number, "file_name": file_name, "width": width, "height": height})
        for box, label, crowd in zip(picture.boxes, picture.labels, picture.crowd, strict=True):
            x0, y0, x1, y1 = (float(value) for value in box)
            wide, tall = x1 - x0, y1 - y0
            annotations.append(
                {
                    "id": first_annotation + len(annotations),
                    "image_id": number,
                    "category_id": category_ids[label],
                    "bbox": [_tidy(value) for value in (x0, y0, wide, tall)],
                    "area": _tidy(wide * tall),
                    "iscrowd": int(crowd),
                }
            )
    categories = [
        {"id": number, "name": name} for number, name in zip(category_ids, classes, strict=True)
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def _tidy(value: float) -> float | int:
    rounded = round(value, 3)
    return int(rounded) if rounded.is_integer() else rounded
