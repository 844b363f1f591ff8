"""Read tables of any kind into rows of cells: CSV, TSV, JSONL, JSON, and lists of lines.

What is known of them: PaddleOCR's `rec_gt.txt` (path, tab, text, never quoted), ICDAR's `gt.txt`
(path, comma, text in quotes, quotes inside with a backslash), tables of spreadsheets and pandas.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    number: int
    """Of the line in the file, from 1."""
    cells: Sequence[object]
    """Texts; JSON may hold other things."""


@dataclass
class Table:
    """A table as it lies in a file."""

    file: Path
    kind: str
    """`csv`, `tsv`, `jsonl` or `txt`."""
    columns: Sequence[str] | None
    """Names, if the table has them."""
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


def decode(content: bytes, encoding: str) -> tuple[str, str | None]:
    """Decode a table's bytes.

    Returns:
        The text, and a note where the encoding was guessed.
    """
    if encoding:
        return content.decode(encoding, "strict"), None
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name), None
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), "isn't UTF-8: taken for cp1252 (set encoding if it isn't)"
    except UnicodeDecodeError:
        return content.decode(
            "latin-1"
        ), "isn't UTF-8: taken for latin-1 (set encoding if it isn't)"


def read_table(file: Path, encoding: str = "") -> Table:
    """Read a file whose suffix is one of `SUFFIXES`.

    Raises:
        ValueError: it isn't what its suffix says, or not in this encoding.
    """
    try:
        text, note = decode(file.read_bytes(), encoding)
    except UnicodeError as error:
        raise ValueError(f"{file.name} isn't {encoding or 'UTF-16'} text: {error}") from None
    suffix = file.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        table = _objects(file, _json_lines(file, text))
    elif suffix == ".json":
        table = _objects(file, _json(file, text))
    elif suffix == ".tsv" or (suffix == ".txt" and _holds_tabs(text)):
        table = Table(file, "tsv", None, [Row(n, _tabs(line)) for n, line in _lines(text)])
    elif suffix == ".csv" or re.search(r'^[^\s,]+,\s*"', text, re.MULTILINE):
        table = Table(file, "csv", None, _commas(file, text))
        if long := next((row for row in table.rows if "\n" in "".join(map(str, row.cells))), None):
            # Its cell may have swallowed the rows below.
            named = str(long.cells[0])[:50]
            table.notes.append(
                f"{file.name}: a cell of {named!r} goes on to line {long.number}: "
                "is a quote opened there and not closed?"
            )
    else:
        # A name, a blank, and the text, which may have blanks in it.
        table = Table(file, "txt", None, [Row(n, line.split(None, 1)) for n, line in _lines(text)])
    if note:
        table.notes.append(f"{file.name} {note}")
    return table


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): texts may hold its rarer ends of lines.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if line.strip():
            yield number, line


def _holds_tabs(text: str) -> bool:
    lines = [line for _, line in _lines(text[:100_000])]
    return bool(lines) and 2 * sum("\t" in line for line in lines) > len(lines)


def _tabs(line: str) -> list[object]:
    cells: list[object] = []
    for cell in line.split("\t"):
        quoted = _QUOTED.fullmatch(cell)
        cells.append(quoted.group(1).replace('""', '"') if quoted else cell)
    return cells


def _commas(file: Path, text: str) -> list[Row]:
    """Rows of a CSV: quotes inside doubled, or else with a backslash, or else as they come."""
    head = text[:100_000]
    delimiter = max(",;\t", key=lambda mark: _steady(head, mark))
    ways: tuple[dict[str, Any], ...] = (
        {"strict": True},
        {"strict": True, "doublequote": False, "escapechar": "\\"},
        {},
    )
    told = ""
    for way in ways:
        source = io.StringIO(text, newline="")
        reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, **way)
        try:
            return [Row(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
        except csv.Error as error:
            told = f"{file.name}, line {reader.line_num}: {error}"
    raise ValueError(told)


def _steady(text: str, mark: str) -> int:
    """In how many lines a mark stands as often as in the first, not counting none."""
    counts = [line.count(mark) for _, line in _lines(text)]
    return sum(count == counts[0] for count in counts) if counts and counts[0] else 0


def _json_lines(file: Path, text: str) -> Iterator[tuple[int, object]]:
    for number, line in _lines(text):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file.name}, line {number} isn't JSON: {error}") from None


def _json(file: Path, text: str) -> Iterator[tuple[int, object]]:
    """A list of objects, or an object of texts by the pictures' names."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file.name} isn't JSON: {error}") from None
    if isinstance(content, dict):
        content = [{"file": name, "text": value} for name, value in content.items()]
    if isinstance(content, list):
        yield from enumerate(content, 1)


def _objects(file: Path, found: Iterator[tuple[int, object]]) -> Table:
    columns: dict[str, None] = {}
    kept: list[tuple[int, dict[str, object]]] = []
    for number, row in found:
        if not isinstance(row, dict):
            raise ValueError(f"{file.name}: entry {number} isn't a JSON object")
        kept.append((number, row))
        columns.update(dict.fromkeys(row))
    names = list(columns)
    rows = [Row(number, [row.get(name, "") for name in names]) for number, row in kept]
    return Table(file, "jsonl", names, rows)
