"""A CSV or TSV table that names pictures and their classes.

Columns go by their headings: a file (`file`, `filename`, `image`, `path`, ...), a class (`class`,
`label`, ...), perhaps a `split`. Several labels are parted by `|` or `;`, stand in further rows of
the same file, or have a column each that holds 0 or 1. Text is text: a class `007` stays that.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from models.classification.data.annotations import LabelledPicture, RawDataset
from models.data.pictures import PICTURE_SUFFIXES
from models.data.raw import UNSPLIT
from models.data.splits import SPLITS, split_name
from models.outcomes import Rejected

NAME = "table"
_FILE = ("file", "filename", "file_name", "image", "image_path", "path", "picture", "img", "name")
_CLASS = ("class", "label", "labels", "classes", "category", "class_name", "target")
_SPLIT = ("split", "subset", "set", "partition")
_SUFFIXES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_FOLDERS = ("", "images", "data", "pictures", "img", "train", "val", "test")
_MOST_BYTES = 1 << 30


def matches(root: Path) -> bool:
    """Tell whether a folder has such a table."""
    return bool(_tables(root))


def read(root: Path, separator: str) -> RawDataset:
    """Read all tables of a folder; those called like splits give their pictures that split.

    Raises:
        ValueError: a table has a quote too many, or names a split that is none.
    """
    passed_over: list[str] = []
    raw = _read(_tables(root, passed_over), root, separator)
    raw.notes += passed_over
    return raw


def read_table(file: Path, root: Path, separator: str = "|;") -> RawDataset:
    """Read one table whose names start from `root`.

    Raises:
        ValueError: it isn't UTF-8, or has no column of files.
    """
    head, _ = _rows(file, most=1)
    if _place(head, _FILE) is None:
        raise ValueError(f"{file.name} has no column called file")
    return _read([file], root, separator)


def _read(files: Sequence[Path], root: Path, separator: str) -> RawDataset:
    raw = RawDataset(NAME)
    rows: dict[tuple[str, str], list[str]] = {}
    column_classes: list[str] = []
    for file in files:
        head, lines = _rows(file)
        own = split_name(file.stem) or UNSPLIT
        name_at, class_at, split_at = (_place(head, wanted) for wanted in (_FILE, _CLASS, _SPLIT))
        assert name_at is not None
        flags = _flags(head, lines, (name_at, split_at)) if class_at is None else []
        column_classes += [head[at] for at in flags if head[at] not in column_classes]
        for number, cells in lines:
            if len(cells) <= name_at or not cells[name_at].strip():
                raw.rejected.append(Rejected(f"{file.name}, line {number}", "names no picture"))
                continue
            split = own
            if split_at is not None and split_at < len(cells):
                split = _split(cells[split_at], own, file, number)
            given = cells[class_at] if class_at is not None and class_at < len(cells) else ""
            if "\n" in cells[name_at].strip() + given.strip():
                # It has swallowed the rows below it.
                raise ValueError(f"{file.name}, line {number}: a quote is opened and not closed")
            labels = rows.setdefault((cells[name_at].strip(), split), [])
            if class_at is not None:
                labels += _parted(given, separator)
            else:
                labels += [head[at] for at in flags if cells[at].strip() in ("1", "1.0", "True")]
    names = column_classes or sorted({name for labels in rows.values() for name in labels})
    index = {name: place for place, name in enumerate(names)}
    raw.classes = list(names)
    raw.several = bool(column_classes) or any(len(set(found)) > 1 for found in rows.values())
    several_splits = len({split for _, split in rows}) > 1
    placed: dict[Path, str] = {}
    taken: set[str] = set()
    lost = 0
    for (name, split), labels in rows.items():
        file = _where(root, name, split)
        if placed.setdefault(file, split) != split:
            raw.rejected.append(Rejected(name, f"is in two splits, {placed[file]} and {split}"))
            continue
        if split == UNSPLIT and several_splits:
            # Nobody would look at them: a split's name is what divides the rest.
            split, lost = "train", lost + 1
        shown = file.relative_to(root).as_posix() if name in taken else name
        taken.add(shown)
        picture = LabelledPicture(file, shown, tuple(sorted({index[label] for label in labels})))
        raw.splits.setdefault(split, []).append(picture)
    if lost:
        raw.notes.append(f"{lost} pictures have no split: they are taken for train")
    return raw


def _tables(root: Path, passed_over: list[str] | None = None) -> list[Path]:
    """The tables of a folder; of those that can't be read the reason is noted."""
    found = []
    for file in sorted(root.iterdir()):
        if file.suffix.lower() not in _SUFFIXES or not file.is_file() or file.name[0] == ".":
            continue
        if file.stat().st_size > _MOST_BYTES:
            continue
        try:
            head, lines = _rows(file, most=1)
        except ValueError as error:
            if passed_over is not None:
                passed_over.append(f"{file.name} was passed over: {error}")
            continue
        name_at = _place(head, _FILE)
        if name_at is None:
            continue
        first = lines[0][1] if lines else []
        picture = len(first) > name_at and _is_picture(root, first[name_at].strip())
        if picture and (_place(head, _CLASS) is not None or _flags(head, lines, (name_at,))):
            found.append(file)
    return found


def _rows(file: Path, most: int | None = None) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read the heading and numbered rows of cells."""
    lines: list[tuple[int, list[str]]] = []
    number = 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            sign = max((",", "\t", ";"), key=first.count)
            reader = csv.reader(stream, delimiter=sign)
            head = [cell.strip() for cell in next(reader, [])]
            number = reader.line_num + 1
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    lines.append((number, cells))
                number = reader.line_num + 1
                if most is not None and len(lines) >= most:
                    break
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} isn't UTF-8 text: save it as UTF-8") from None
    except csv.Error as error:
        raise ValueError(
            f"{file.name}, line {number}: {error}; perhaps a quote is opened there and not closed"
        ) from None
    return head, lines


def _place(head: Sequence[str], wanted: Sequence[str]) -> int | None:
    lower = [cell.lower() for cell in head]
    return next((lower.index(name) for name in wanted if name in lower), None)


def _flags(
    head: Sequence[str], lines: Sequence[tuple[int, list[str]]], taken: Sequence[int | None]
) -> list[int]:
    """Columns that hold 0 or 1 in every row: one for each class."""
    signs = {"0", "1", "0.0", "1.0", "True", "False"}
    return [
        at
        for at in range(len(head))
        if at not in taken
        and lines
        and all(len(cells) > at and cells[at].strip() in signs for _, cells in lines)
    ]


def _split(cell: str, own: str, file: Path, number: int) -> str:
    if not cell.strip():
        return own
    found = split_name(cell.strip())
    if found is None:
        raise ValueError(
            f"{file.name}, line {number}: '{cell}' is no split; there are: {', '.join(SPLITS)}"
        )
    return found


def _parted(cell: str, separators: str) -> list[str]:
    for sign in separators:
        cell = cell.replace(sign, "\0")
    return [part.strip() for part in cell.split("\0") if part.strip()]


def _is_picture(root: Path, name: str) -> bool:
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    return suffix in PICTURE_SUFFIXES or (not suffix and _where(root, name).is_file())


def _where(root: Path, name: str, split: str = UNSPLIT) -> Path:
    """Find a picture: where the table says, or in one of the usual folders; never outside.

    The folder of its split comes before others: train and test often number their pictures alike.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        path = PurePosixPath(path.name)
    for folder in sorted(_FOLDERS, key=lambda one: (one != "", split_name(one) != split)):
        place = root / folder / path
        if place.is_file():
            return place
        if not path.suffix:
            for suffix in (".jpg", ".png", ".jpeg"):
                if place.with_name(place.name + suffix).is_file():
                    return place.with_name(place.name + suffix)
    return root / path
