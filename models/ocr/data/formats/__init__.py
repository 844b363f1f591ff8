"""Formats of OCR data, told apart by looking."""

from __future__ import annotations

from pathlib import Path

from models.data.looking import is_hidden
from models.data.split_lists import apply_lists
from models.ocr.data.cutting import cut_lines
from models.ocr.data.formats import beside, boxed, names, tables
from models.ocr.data.options import PrepareOptions
from models.ocr.data.texts import Raw
from models.reporting import Reporter

__all__ = ["read", "recognise"]


def recognise(folder: Path) -> str | None:
    """Name the format of a raw folder; None if it's none that is read.

    `csv`, `tsv`, `jsonl`, `txt`: tables that list pictures with their texts. `coco`, `voc`:
    detection data whose annotations have texts. `beside`: a text file beside each picture.
    `names`: pictures whose names are their texts.
    """
    root = _root(folder)
    found = tables.matches(root) or boxed.matches(root)
    if found is None and beside.matches(root):
        found = beside.NAME
    if found is None and names.matches(root):
        found = names.NAME
    return found


def read(source: Path, options: PrepareOptions, scratch: Path, reporter: Reporter) -> Raw:
    """Read the lines of a raw folder, in whatever format they are.

    Args:
        source: the folder.
        options: among others names of columns, and the pattern of file names.
        scratch: folder for crops that are cut out of larger pictures.
        reporter: told about progress.

    Raises:
        ValueError: no known format, or options that don't fit.
    """
    root = _root(source)
    if options.pattern:
        return names.read(root, options.pattern)
    listed = tables.read(root, options)
    if listed is not None:
        raw, lines = listed
        if not lines.lines:
            apply_lists(root, raw)
            return raw
        return _joined(raw, cut_lines(root, lines, scratch, options.crops, reporter))
    form = boxed.matches(root, options.crops.attribute)
    if form is not None:
        lines = boxed.read(root, form, options.crops)
        return cut_lines(root, lines, scratch, options.crops, reporter)
    if beside.matches(root):
        return beside.read(root, options.encoding)
    if names.matches(root):
        return names.read(root, "")
    raise ValueError(
        f"no texts found in {source}: expected a table beside the pictures (CSV, TSV, JSONL: file "
        "and text), boxes with a text (COCO, Pascal VOC), a file x.gt.txt beside each x.png, or "
        "pictures called <text>_<n>.jpg (set pattern for other names)"
    )


def _joined(crops: Raw, cut: Raw) -> Raw:
    """Crops of a table, and those that were cut out as another said."""
    for split, found in crops.splits.items():
        cut.splits.setdefault(split, []).extend(found)
    cut.rejected += crops.rejected
    cut.notes += crops.notes
    return cut


def _root(folder: Path) -> Path:
    """The folder that holds the data: archives often hold one folder with all in it."""
    for _ in range(2):
        inside = [one for one in sorted(folder.iterdir()) if not is_hidden(Path(one.name))]
        if len(inside) != 1 or not inside[0].is_dir():
            break
        if inside[0].name.lower() in ("data", "images", "train"):
            break
        folder = inside[0]
    return folder
