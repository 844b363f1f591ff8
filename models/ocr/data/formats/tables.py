"""Crops that tables list with their texts, or larger pictures with boxes and texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from models.data.raw import UNSPLIT
from models.data.splits import split_in, split_name
from models.data.tables.listing import candidates, look
from models.data.tables.places import Places
from models.data.tables.rows import Row, read_table
from models.data.writing import SPLITS_CSV
from models.ocr.data.formats.boxed import BoxedLine, BoxedLines
from models.ocr.data.formats.columns import Columns, columns_of
from models.ocr.data.options import PrepareOptions
from models.ocr.data.reading import LABELS
from models.ocr.data.texts import Raw, TextPicture, symbology_named, tidy
from models.outcomes import Rejected

_LARGEST_SNIFF = 64 << 20


def matches(folder: Path) -> str | None:
    """Name the kind of table that lists the folder's pictures with something beside; or None."""
    places = Places(folder)
    if not places.files:
        return None
    for file in _candidates(folder):
        if file.stat().st_size > _LARGEST_SNIFF and file.suffix.lower() == ".json":
            continue
        try:
            table = read_table(file)
        except ValueError:
            continue
        if look(table, places):
            return table.kind
    return None


def _candidates(folder: Path) -> list[Path]:
    """Files that may be tables."""
    found = candidates(folder)
    if any(file.name == LABELS for file in found):
        # A prepared dataset's list of splits says the same once more, and less.
        found = [file for file in found if file.name != SPLITS_CSV]
    return found


def read(folder: Path, options: PrepareOptions) -> tuple[Raw, BoxedLines] | None:
    """Read all tables of a folder; None if none lists its pictures.

    Returns:
        Crops, and lines in larger pictures, of which tables give the boxes.

    Raises:
        ValueError: a table's columns can't be told, or an option names one that isn't there.
    """
    lists = _Lists(Places(folder))
    raw = lists.raw
    kinds: Counter[str] = Counter()
    for file in _candidates(folder):
        where = file.relative_to(folder).as_posix()
        try:
            table = read_table(file, options.encoding)
        except ValueError as error:
            raw.notes.append(f"{where} was passed over: {error}")
            continue
        seen = look(table, lists.places)
        columns = columns_of(where, seen, options) if seen else None
        if seen is None or columns is None:
            continue
        kinds[table.kind] += len(seen.rows)
        raw.notes += table.notes
        split = _split_of(file, folder)
        for row in seen.rows:
            lists.take(_Entry(where, row, columns, split, file.parent))
    if not kinds:
        return None
    lists.finish(kinds.most_common(1)[0][0])
    return raw, lists.boxed


@dataclass(frozen=True)
class _Entry:
    """A row with what is known about its table."""

    where: str
    row: Row
    columns: Columns
    split: str
    beside: Path

    @property
    def item(self) -> str:
        """How reports call it."""
        return f"{self.where}, line {self.row.number}"

    def cell(self, index: int | None) -> object:
        """A cell; an empty text where the row has none."""
        cells = self.row.cells
        return cells[index] if index is not None and index < len(cells) else ""


@dataclass
class _Listed:
    """A crop that was listed."""

    split: str
    picture: TextPicture
    item: str
    agreed: bool = True
    """Whether all rows give it the same text."""


@dataclass
class _Lists:
    """What the tables of a folder say, row by row."""

    places: Places
    raw: Raw = field(default_factory=lambda: Raw("csv"))
    boxed: BoxedLines = field(default_factory=lambda: BoxedLines("csv"))
    _listed: dict[Path, _Listed] = field(default_factory=dict)

    def take(self, entry: _Entry) -> None:
        """Take a row in, or say why not."""
        written, text = str(entry.cell(entry.columns.file)), entry.cell(entry.columns.text)
        split = self._split(entry)
        file = self.places.find(written, entry.beside, split)
        named = f"{entry.item} ({written})"
        if not written.strip():
            self._reject(entry.item, "it names no picture")
        elif file is None:
            self._reject(named, "the picture is missing")
        elif not isinstance(text, str):
            kind = type(text).__name__
            self._reject(
                named, f"its text is the {kind} {text}: write it in quotes, or zeros get lost"
            )
        elif split is None:
            told = entry.cell(entry.columns.split)
            self._reject(named, f"'{told}' is no split (train, val, test)")
        elif entry.columns.box is not None:
            box = entry.columns.box.read(entry.row.cells)
            if box is None:
                self._reject(named, "its box isn't four numbers")
                return
            line = BoxedLine(file, entry.item, split, text, box, None, self._symbology(entry))
            self.boxed.lines.append(line)
        else:
            picture = TextPicture(file, self.places.name(file), tidy(text), self._symbology(entry))
            self._list(_Listed(split, picture, entry.item))

    def finish(self, form: str) -> None:
        """Sort the crops into splits, and list pictures that no table names."""
        raw = self.raw
        raw.format = self.boxed.format = form
        splits = {one.split for one in self._listed.values()}
        if len(splits) > 1 and UNSPLIT in splits:
            raw.notes.append("some lines have no split: they are taken for train")
        for one in self._listed.values():
            if one.agreed:
                name = "train" if one.split == UNSPLIT and len(splits) > 1 else one.split
                raw.splits.setdefault(name, []).append(one.picture)
        used = {line.picture for line in self.boxed.lines} | self._listed.keys()
        for file in self.places.files:
            if file not in used:
                self._reject(self.places.name(file), "no table gives its text")

    def _list(self, new: _Listed) -> None:
        """List a crop, which may be listed already."""
        old = self._listed.setdefault(new.picture.file, new)
        item = f"{new.picture.name} ({new.item})"
        if old is new:
            return
        if old.picture.text != new.picture.text:
            if old.agreed:
                texts = f"'{old.picture.text}' ({old.item}) and '{new.picture.text}'"
                self._reject(item, f"two texts are given for it, {texts}")
            old.agreed = False
        elif old.split == UNSPLIT:
            old.split = new.split
        elif new.split not in (UNSPLIT, old.split):
            kept = f"listed for {old.split} ({old.item}) and for {new.split}: kept in {old.split}"
            self._reject(item, f"it is {kept}")

    def _split(self, entry: _Entry) -> str | None:
        """The split that a row or its table says; None for a word that is none."""
        told = str(entry.cell(entry.columns.split)).strip()
        return split_name(told) if told else entry.split

    def _symbology(self, entry: _Entry) -> str | None:
        told = entry.cell(entry.columns.symbology)
        return symbology_named(told) if told else None

    def _reject(self, item: str, reason: str) -> None:
        self.raw.rejected.append(Rejected(item, reason))


def _split_of(file: Path, folder: Path) -> str:
    """The split that a table's name or its folders speak of."""
    names = [file.stem, *reversed(file.relative_to(folder).parts[:-1])]
    return next((found for name in names if (found := split_in(name))), UNSPLIT)
