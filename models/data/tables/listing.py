"""Tell which column of a table names pictures, what the columns are called, and where boxes are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from models.data.looking import files_below
from models.data.pictures import PICTURE_SUFFIXES
from models.data.splits import split_in
from models.data.tables.places import Places
from models.data.tables.rows import SUFFIXES, Row, Table

_FILES = (
    *("file", "filename", "file_name", "image", "image_name", "image_path", "img", "img_path"),
    *("path", "picture", "crop", "name", "image_file", "filepath", "file_path"),
)
_SPLITS = ("split", "subset", "set", "partition", "fold")
# What preparing itself writes beside the pictures, and what is no table.
_NO_TABLES = ("rejected.json", "dataset.json", "requirements.txt", "readme.txt", "license.txt")
_TABLES_IN_A_FOLDER = 20
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
    """Cells of a box in a picture."""

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


def candidates(folder: Path) -> list[Path]:
    """Files that may be tables; a folder with many of a kind has one for each picture."""
    found = [f for f in files_below(folder, SUFFIXES) if f.name.lower() not in _NO_TABLES]
    counts = Counter((file.parent, file.suffix) for file in found)
    return [file for file in found if counts[file.parent, file.suffix] <= _TABLES_IN_A_FOLDER]


def plain_name(cell: object) -> str:
    """Spell a column's name in the one way in which names are compared."""
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

    def column(self, words: Sequence[str]) -> int | None:
        """The first column that is called by one of some words, the likeliest word in front."""
        plain = [plain_name(name) for name in self.names or ()]
        return next((plain.index(word) for word in words if word in plain), None)

    @property
    def split(self) -> int | None:
        """Column that names splits."""
        return self.column(_SPLITS)


def look(table: Table, places: Places) -> Listing | None:
    """Find names and pictures in a table; None if no picture that it lists is there."""
    if not table.rows:
        return None
    names, rows = table.columns, table.rows
    if names is None and _is_header(table, places):
        names, rows = [str(cell).strip() for cell in rows[0].cells], rows[1:]
    sample = [row for row in rows[:_SAMPLE] if len(row.cells) > 1]
    plain = [plain_name(name) for name in names or ()]
    file = next((plain.index(known) for known in _FILES if known in plain), None)
    if file is None:
        file = _column_of_pictures(sample)
    if file is None and names is None:
        file = 0
    split = split_in(table.file.stem)
    if file is None or not any(
        len(row.cells) > file and places.find(str(row.cells[file]), table.file.parent, split)
        for row in sample
    ):
        return None
    return Listing(names, rows, file)


def _is_header(table: Table, places: Places) -> bool:
    """Whether the first row names the columns: with known words, or alone without a picture."""
    first = table.rows[0].cells
    if any(_is_picture(cell) for cell in first):
        return False
    if any(plain_name(cell) in _FILES for cell in first):
        return True
    pictures = _column_of_pictures(table.rows[1:_SAMPLE])
    if pictures is None or pictures >= len(first):
        return False
    split = split_in(table.file.stem)
    return places.find(str(first[pictures]), table.file.parent, split) is None


def _is_picture(cell: object) -> bool:
    return PurePath(str(cell).strip()).suffix.lower() in PICTURE_SUFFIXES


def _column_of_pictures(rows: Sequence[Row]) -> int | None:
    """The column in which most cells end as pictures' names do."""
    counts = Counter(i for row in rows for i, cell in enumerate(row.cells) if _is_picture(cell))
    if not counts:
        return None
    index, count = counts.most_common(1)[0]
    return index if 2 * count > len(rows) else None


def box_cells(plain: Sequence[str], taken: Sequence[int]) -> BoxCells | None:
    """The columns of a box, if there are any."""
    for groups, sized in ((_TWO_CORNERS, False), (_CORNER_AND_SIZE, True)):
        for group in groups:
            if all(name in plain for name in group):
                cells = tuple(plain.index(name) for name in group)
                if not set(cells) & set(taken):
                    return BoxCells(cells, sized)
    return None
