"""Tell what the columns of a table are: pictures, texts, splits, boxes."""

from __future__ import annotations

from dataclasses import dataclass

from models.data.splits import nearest
from models.data.tables.listing import BoxCells, Listing, box_cells, plain_name
from models.ocr.data.options import PrepareOptions

_TEXTS = (
    *("text", "label", "labels", "words", "word", "transcription", "transcript", "gt", "value"),
    *("ground_truth", "groundtruth", "utf8_string", "string", "code", "truth"),
)
_SYMBOLOGIES = ("symbology", "barcode_type", "code_type", "type", "format")


@dataclass(frozen=True)
class Columns:
    """Which cell of a row is what; None where there's none."""

    file: int
    text: int
    split: int | None
    symbology: int | None
    box: BoxCells | None


def columns_of(where: str, seen: Listing, options: PrepareOptions) -> Columns | None:
    """Tell which column is what; None for a table without texts, such as a list of splits.

    Raises:
        ValueError: it can't be told, or an option names none.
    """
    names = seen.names
    plain = [plain_name(name) for name in names or ()]
    width = max(len(row.cells) for row in seen.rows)

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
    split, symbology = seen.split, seen.column(_SYMBOLOGIES)
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
    return Columns(file, text, split, symbology, box_cells(plain, (file, text)))
