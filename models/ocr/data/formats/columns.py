"""Tell what the columns of a table are: pictures, texts, splits, boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from models.data.pictures import PICTURE_SUFFIXES
from models.data.splits import nearest
from models.ocr.data.formats.places import Places
from models.ocr.data.formats.rows import Row, Table
from models.ocr.data.options import PrepareOptions

_FILES = (
    *("file", "filename", "file_name", "image", "image_name", "image_path", "img", "img_path"),
    *("path", "picture", "crop", "name", "image_file", "filepath", "file_path"),
)
_TEXTS = (
    *("text", "label", "labels", "words", "word", "transcription", "transcript", "gt", "value"),
    *("ground_truth", "groundtruth", "utf8_string", "string", "code", "truth"),
)
_SPLITS = ("split", "subset", "set", "partition", "fold")
_SYMBOLOGIES = ("symbology", "barcode_type", "code_type", "type", "format")
_SAMPLE = 200
# Names of the columns of a box; the annotations of public barcode photos have the first.
_CORNER_AND_SIZE = (
    ("x_from", "y_from", "width", "height"),
    ("left", "top", "width", "height"),
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
)
_TWO_CORNERS = (
    ("x_from", "y_from", "x_to", "y_to"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)


@dataclass(frozen=True)
class BoxCells:
    """Cells of a line's box in a larger picture."""

    cells: tuple[int, ...]
    sized: bool
    """Whether the last two are width and height, not the lower right corner."""

    def read(self, row: Sequence[object]) -> tuple[float, float, float, float] | None:
        """The box xyxy; None if the cells aren't four numbers."""
        try:
            x0, y0, x1, y1 = (float(str(row[cell])) for cell in self.cells)
        except (ValueError, IndexError):
            return None
        return (x0, y0, x0 + x1, y0 + y1) if self.sized else (x0, y0, x1, y1)


@dataclass(frozen=True)
class Columns:
    """Which cell of a row is what; None where there's none."""

    file: int
    text: int
    split: int | None
    symbology: int | None
    box: BoxCells | None


def _plain(cell: object) -> str:
    return str(cell).strip().lower().replace(" ", "_").replace("-", "_")


@dataclass(frozen=True)
class Listing:
    """A table that lists pictures."""

    names: Sequence[str] | None
    """Of the columns, if it names them."""
    rows: Sequence[Row]
    """Without the names."""
    file: int
    """Column of the pictures."""


def look(table: Table, places: Places) -> Listing | None:
    """Find names and pictures in a table; None if no picture that it lists is there."""
    if not table.rows:
        return None
    names, rows = table.columns, table.rows
    if names is None and _is_header(table, places):
        names, rows = [str(cell).strip() for cell in rows[0].cells], rows[1:]
    sample = [row for row in rows[:_SAMPLE] if len(row.cells) > 1]
    plain = [_plain(name) for name in names or ()]
    file = next((plain.index(known) for known in _FILES if known in plain), None)
    if file is None:
        file = _column_of_pictures(sample)
    if file is None and names is None:
        file = 0
    if file is None or not any(
        len(row.cells) > file and places.find(str(row.cells[file]), table.file.parent)
        for row in sample
    ):
        return None
    return Listing(names, rows, file)


def _is_header(table: Table, places: Places) -> bool:
    """Whether the first row names the columns: with known words, or alone without a picture."""
    first = table.rows[0].cells
    if any(_is_picture(cell) for cell in first):
        return False
    if any(_plain(cell) in _FILES for cell in first):
        return True
    pictures = _column_of_pictures(table.rows[1:_SAMPLE])
    if pictures is None or pictures >= len(first):
        return False
    return places.find(str(first[pictures]), table.file.parent) is None


def _is_picture(cell: object) -> bool:
    return PurePath(str(cell).strip()).suffix.lower() in PICTURE_SUFFIXES


def _column_of_pictures(rows: Sequence[Row]) -> int | None:
    """The column in which most cells end as pictures' names do."""
    counts = Counter(i for row in rows for i, cell in enumerate(row.cells) if _is_picture(cell))
    if not counts:
        return None
    index, count = counts.most_common(1)[0]
    return index if 2 * count > len(rows) else None


def columns_of(where: str, seen: Listing, options: PrepareOptions) -> Columns | None:
    """Tell which column is what; None for a table without texts, such as a list of splits.

    Raises:
        ValueError: it can't be told, or an option names none.
    """
    names = seen.names
    plain = [_plain(name) for name in names or ()]
    width = max(len(row.cells) for row in seen.rows)

    def known(words: Sequence[str]) -> int | None:
        return next((plain.index(word) for word in words if word in plain), None)

    def asked(option: str, name: str) -> int | None:
        if not name:
            return None
        if names is None or name not in names:
            there = ", ".join(names) if names else "none, since it has no header"
            hint = nearest(name, names or ())
            raise ValueError(f"{option}: {where} has no column '{name}'{hint}; it has: {there}")
        return names.index(name)

    file = asked("file_column", options.file_column)
    file = seen.file if file is None else file
    split, symbology = known(_SPLITS), known(_SYMBOLOGIES)
    text = asked("text_column", options.text_column)
    if text is None:
        text = next(
            (plain.index(word) for word in _TEXTS if word in plain and plain.index(word) != file),
            None,
        )
    if text is None:
        others = [index for index in range(width) if index not in (file, split, symbology)]
        if names is None and file + 1 < width:
            text = file + 1
        elif len(others) == 1:
            text = others[0]
        elif not others:
            return None
        else:
            raise ValueError(
                f"{where}: which column holds the text? It has {', '.join(names or ())}: "
                "set text_column to one"
            )
    return Columns(file, text, split, symbology, _box(plain, (file, text)))


def _box(plain: Sequence[str], taken: Sequence[int]) -> BoxCells | None:
    """The columns of a box, if there are any."""
    for groups, sized in ((_TWO_CORNERS, False), (_CORNER_AND_SIZE, True)):
        for group in groups:
            if all(name in plain for name in group):
                cells = tuple(plain.index(name) for name in group)
                if not set(cells) & set(taken):
                    return BoxCells(cells, sized)
    return None
