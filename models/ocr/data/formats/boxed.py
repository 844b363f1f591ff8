"""Lines inside larger pictures: annotations of detection data that have a text.

COCO (https://cocodataset.org/#format-data) has no field for texts. COCO-Text says `utf8_string`,
labelling tools `attributes`, and our synthetic scenes `text` with `text_bbox` and
`text_segmentation` around it. Pascal VOC's files have `attributes/attribute/name|value`.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from models.data.looking import files_below
from models.data.raw import UNSPLIT
from models.data.splits import split_in
from models.data.tables.places import Places
from models.detection.data.annotations import RawDataset
from models.detection.data.formats import coco_layouts
from models.ocr.data.options import CropOptions
from models.ocr.data.texts import symbology_named
from models.outcomes import Rejected

_TEXTS = (
    *("text", "utf8_string", "transcription", "transcript", "value", "ocr", "code"),
    *("string", "content", "words", "word"),
)
_SYMBOLOGIES = ("symbology", "barcode_type", "code_type", "type")
Point = tuple[float, float]


@dataclass(frozen=True)
class BoxedLine:
    """A line inside a picture."""

    picture: Path
    item: str
    """How reports call it."""
    split: str
    text: object
    """As it was written down; a text if all is well."""
    box: tuple[float, float, float, float]
    """xyxy, pixels of the upright picture."""
    outline: Sequence[Point] | None
    """Its four corners from its own top left on, clockwise, where they are known."""
    symbology: str | None


@dataclass
class BoxedLines:
    """What was found."""

    format: str
    lines: list[BoxedLine] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def matches(folder: Path, attribute: str = "") -> str | None:
    """Name the format of detection data of which an annotation has a text: `coco`, `voc`, None.

    Args:
        folder: of the data.
        attribute: name of the text's attribute; any of the usual ones unless given.
    """
    for file in _coco_files(folder):
        rows = _load(file).get("annotations")
        if isinstance(rows, list) and any(_attribute(row, attribute) is not None for row in rows):
            return "coco"
    for file in files_below(folder, (".xml",)):
        root = _tree(file)
        wanted = {attribute} if attribute else set(_TEXTS)
        things = root.iterfind("object") if root is not None else ()
        if any(wanted & _values(one).keys() for one in things):
            return "voc"
    return None


def read(folder: Path, form: str, options: CropOptions) -> BoxedLines:
    """Read the lines of a folder for which `matches` gave this format.

    Raises:
        ValueError: a split's annotations, or a list of one, can't be read.
    """
    found = BoxedLines(form)
    return _coco(folder, options, found) if form == "coco" else _voc(folder, options, found)


def _coco_files(folder: Path) -> list[Path]:
    parts = coco_layouts.parts_by_layout(folder)
    return [part.labels for part in parts] or coco_layouts.files_anywhere(folder)


def _load(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _attribute(row: object, name: str) -> object:
    """The text of an annotation, in itself or among its attributes; None if it has none."""
    if not isinstance(row, dict):
        return None
    nested = row.get("attributes")
    for place in (row, nested if isinstance(nested, dict) else {}):
        for key in (name,) if name else _TEXTS:
            value = place.get(key)
            if value is not None and not isinstance(value, dict | list | bool):
                found: object = value
                return found
    return None


def _coco(folder: Path, options: CropOptions, found: BoxedLines) -> BoxedLines:
    aside = RawDataset("coco")
    parts = coco_layouts.parts_by_layout(folder) or coco_layouts.parts_anywhere(folder, aside)
    found.notes += aside.notes
    without = 0
    for part in parts:
        content = _load(part.labels)
        where = part.labels.relative_to(folder).as_posix()
        if not all(isinstance(content.get(key), list) for key in ("images", "annotations")):
            # Passed over, a whole split would be missing without a word.
            raise ValueError(
                f"{where} isn't COCO's JSON with the lists images and annotations, or is cut off"
            )
        images = [row for row in content["images"] if isinstance(row, dict)]
        part = coco_layouts.with_pictures(folder, part, {"images": images})
        pictures = {}
        for row in images:
            path = PurePosixPath(str(row.get("file_name", "")).replace("\\", "/"))
            path = PurePosixPath(path.name) if part.names_only else path
            if not path.is_absolute() and ".." not in path.parts and path.name:
                pictures[str(row.get("id"))] = part.pictures / path
        for row in content["annotations"]:
            text = _attribute(row, options.attribute)
            if text is None:
                without += 1
                continue
            item = f"{where}: annotation {row.get('id')}"
            picture = pictures.get(str(row.get("image_id")))
            frame = _frame(row, options)
            if picture is None:
                reason = f"it belongs to picture {row.get('image_id')}, which isn't listed"
                found.rejected.append(Rejected(item, reason))
            elif frame is None:
                found.rejected.append(
                    Rejected(item, f"its box isn't four numbers: {row.get('bbox')}")
                )
            else:
                box, outline = frame
                symbology = next((row[key] for key in _SYMBOLOGIES if key in row), None)
                kind = symbology_named(symbology) if symbology is not None else None
                line = BoxedLine(picture, item, part.split, text, box, outline, kind)
                found.lines.append(line)
    if without:
        found.notes.append(f"{without} annotations have no text and were passed over")
    return found


def _frame(
    row: Mapping[str, Any], options: CropOptions
) -> tuple[tuple[float, float, float, float], Sequence[Point] | None] | None:
    """The box and outline to cut out; see `CropOptions.of`."""
    box, around = _xywh(row.get("bbox")), _xywh(row.get("text_bbox"))
    outline, line = _corners(row.get("segmentation")), _corners(row.get("text_segmentation"))
    if options.of == "line" and around is not None:
        return around, line
    if box is None:
        return None
    if around is None:
        return box, outline
    joined = (
        min(box[0], around[0]),
        min(box[1], around[1]),
        max(box[2], around[2]),
        max(box[3], around[3]),
    )
    if outline is None or line is None:
        return joined, None
    # Below the symbol lies its line: its top with the line's bottom.
    return joined, _both(outline, line)


def _both(symbol: Sequence[Point], line: Sequence[Point]) -> Sequence[Point]:
    """The smallest four corners, along the symbol's sides, that hold symbol and line."""
    import numpy as np

    corners = np.array(symbol, np.float64)
    points = np.array([*symbol, *line], np.float64)
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    basis = np.stack([across, down], axis=1)
    inside = np.linalg.solve(basis, (points - corners[0]).T).T
    (u0, v0), (u1, v1) = inside.min(axis=0), inside.max(axis=0)
    square = np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]])
    placed = corners[0] + square @ basis.T
    return [(float(x), float(y)) for x, y in placed]


def _xywh(value: object) -> tuple[float, float, float, float] | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in value):
        return None
    x, y, width, height = (float(one) for one in value)
    return x, y, x + width, y + height


def _corners(value: object) -> Sequence[Point] | None:
    """Four corners, if that is what an outline is made of."""
    flat = value[0] if isinstance(value, list) and len(value) == 1 else None
    if not isinstance(flat, list) or len(flat) != 8:
        return None
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in flat):
        return None
    return [(float(flat[i]), float(flat[i + 1])) for i in range(0, 8, 2)]


def _tree(file: Path) -> ET.Element | None:
    content = file.read_bytes()
    plain = content.replace(b"\0", b"")  # UTF-16 too
    if b"<annotation" not in plain[:4096] or b"<!ENTITY" in plain or b"<!DOCTYPE" in plain:
        return None
    try:
        return ET.fromstring(content)  # noqa: S314 - see above
    except ET.ParseError:
        return None


def _values(thing: ET.Element) -> dict[str, str]:
    """Attributes of an object: `<attributes>`, as CVAT writes them, and its own text fields."""
    found = {
        (one.findtext("name") or "").strip(): one.findtext("value") or ""
        for one in thing.iterfind("attributes/attribute")
    }
    for key in _TEXTS:
        direct = thing.findtext(key) or thing.findtext(f"attributes/{key}")
        if direct:
            found.setdefault(key, direct)
    return {name: value for name, value in found.items() if name}


def _voc(folder: Path, options: CropOptions, found: BoxedLines) -> BoxedLines:
    places = Places(folder)
    wanted = (options.attribute,) if options.attribute else _TEXTS
    lists = _image_sets(folder)
    without = 0
    for file in files_below(folder, (".xml",)):
        root = _tree(file)
        where = file.relative_to(folder).as_posix()
        if root is None:
            found.rejected.append(Rejected(where, "it isn't an annotation in XML"))
            continue
        named = (root.findtext("filename") or "").strip()
        picture = places.find(named, file.parent) or places.find(file.stem, file.parent)
        split = lists.get(file.stem) or _split_of(file.relative_to(folder).parts[:-1])
        for number, thing in enumerate(root.iterfind("object"), 1):
            item = f"{where}: object {number}"
            values = _values(thing)
            text = next((values[key] for key in wanted if key in values), None)
            if text is None:
                without += 1
                continue
            box = _voc_box(thing)
            if picture is None:
                found.rejected.append(Rejected(item, f"its picture '{named}' is missing"))
            elif box is None:
                found.rejected.append(Rejected(item, "its box isn't four numbers"))
            else:
                kind = next((values[key] for key in _SYMBOLOGIES if key in values), None)
                symbology = symbology_named(kind) if kind else None
                found.lines.append(BoxedLine(picture, item, split, text, box, None, symbology))
    if without:
        found.notes.append(f"{without} objects have no text and were passed over")
    return found


def _voc_box(thing: ET.Element) -> tuple[float, float, float, float] | None:
    try:
        x0, y0, x1, y1 = (
            float(thing.findtext(f"bndbox/{name}") or "")
            for name in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        return None
    return x0 - 1, y0 - 1, x1, y1  # VOC counts from 1 and holds the last pixel


def _split_of(folders: Iterable[str]) -> str:
    return next((found for name in folders if (found := split_in(name))), UNSPLIT)


def _image_sets(folder: Path) -> dict[str, str]:
    """Split by annotation's name, as `ImageSets/Main/*.txt` say."""
    return {
        name: split
        for split in ("train", "val", "test")
        for name in _names(folder / "ImageSets" / "Main" / f"{split}.txt")
    }


def _names(file: Path) -> Iterator[str]:
    if not file.is_file():
        return
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"ImageSets/Main/{file.name} isn't UTF-8 text: save it as UTF-8") from None
    yield from (line.strip() for line in lines if line.strip())
