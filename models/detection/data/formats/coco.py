"""COCO detection JSON: `split/data + labels.json`, Roboflow's layout, or files in any place.

Format: https://cocodataset.org/#format-data (boxes are x, y, width, height in pixels, 0-based).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from models.detection.data.annotations import AnnotatedPicture, RawDataset, as_boxes, is_name
from models.detection.data.formats.coco_layouts import (
    Part,
    files_anywhere,
    parts_anywhere,
    parts_by_layout,
    with_pictures,
)
from models.detection.data.masks import mask_box
from models.outcomes import Rejected

NAME = "coco"


def matches(folder: Path) -> bool:
    """Whether the folder is laid out like one of the two."""
    return bool(parts_by_layout(folder))


def matches_somewhere(folder: Path) -> bool:
    """Whether COCO detection JSON lies anywhere in the folder."""
    return bool(files_anywhere(folder))


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
    parts = parts_by_layout(folder) or parts_anywhere(folder, raw)
    contents = [(part, _load(folder, part.labels)) for part in parts]
    contents = [(with_pictures(folder, part, content), content) for part, content in contents]
    placeholders = _placeholders([content for _, content in contents])
    for part, content in contents:
        if part.split in raw.splits:
            raise ValueError(
                f"two folders of {folder.name} are called like the split '{part.split}'"
            )
        raw.splits[part.split] = _read_part(folder, part, content, placeholders, raw)
    return raw


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
    folder: Path, part: Part, content: Mapping[str, Any], placeholders: set[str], raw: RawDataset
) -> list[AnnotatedPicture]:
    where = part.labels.relative_to(folder).as_posix()
    classes: dict[int, int] = {}
    called: dict[int, str] = {}
    for row in content["categories"]:
        name = row.get("name")
        number = _whole(row.get("id"))
        if number is None or not isinstance(name, str) or not is_name(name):
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
    folder: Path, part: Part, where: str, images: Iterable[Mapping[str, Any]], raw: RawDataset
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
