"""Tables with a row for each box: `filename, x_from, y_from, width, height`, or two corners.

The annotations of public barcode photos are one (vladimir-sashin/rt-detr-barcode-detection); pandas
writes such tables, and exporters of labelling tools (`xmin, ymin, xmax, ymax, class`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.data.raw import UNSPLIT
from models.data.splits import SPLITS, split_in, split_name
from models.data.tables.listing import BoxCells, Listing, box_cells, candidates, look, plain_name
from models.data.tables.places import Places
from models.data.tables.rows import read_table
from models.detection.data.annotations import AnnotatedPicture, RawDataset, as_boxes, is_name
from models.outcomes import Rejected

NAME = "table"
_CLASSES = ("class", "class_name", "category", "label", "labels", "name", "symbology")
_ONE_CLASS = "object"
"""What everything is called where no column says it."""


def matches_somewhere(folder: Path) -> bool:
    """Whether a table with boxes lies anywhere in the folder."""
    places = Places(folder)
    return bool(places.files) and any(_boxed(file, places) for file in candidates(folder))


def _boxed(
    file: Path, places: Places, notes: list[str] | None = None
) -> tuple[Listing, BoxCells] | None:
    """A table's listing and the cells of its boxes; None for another file, noted if broken."""
    try:
        table = read_table(file)
        seen = look(table, places)
    except ValueError as error:
        if notes is not None:
            notes.append(f"{places.name(file)} was passed over: {error}")
        return None
    if seen is None or seen.names is None:
        return None
    cells = box_cells([plain_name(name) for name in seen.names], (seen.file,))
    if cells and notes is not None:
        notes += table.notes
    return (seen, cells) if cells else None


def read(folder: Path) -> RawDataset:
    """Read all tables with boxes in a folder for which `matches_somewhere` holds.

    Splits are those of a column called so, or else of the table's name or its folders; where
    others have one, a picture without is taken for train. A row without a box is a picture
    without objects.
    """
    raw, places = RawDataset(NAME), Places(folder)
    found: dict[Path, tuple[str, list[list[float]], list[int]]] = {}
    for file in candidates(folder):
        boxed = _boxed(file, places, raw.notes)
        if boxed is None:
            continue
        seen, cells = boxed
        parts = file.relative_to(folder).parts
        words = (file.stem, *reversed(parts[:-1]))
        own = next((one for word in words if (one := split_in(word))), UNSPLIT)
        kind_at = seen.column(_CLASSES)
        kind_at = None if kind_at == seen.file else kind_at
        for row in seen.rows:
            item = f"{'/'.join(parts)}, line {row.number}"

            def cell(at: int | None, values: tuple[object, ...] = tuple(row.cells)) -> str:
                return str(values[at]).strip() if at is not None and at < len(values) else ""

            told = cell(seen.split)
            split = split_name(told) or (own if own != UNSPLIT else told or UNSPLIT)
            picture = places.find(cell(seen.file), file.parent, split)
            if picture is None:
                raw.rejected.append(
                    Rejected(f"{item} ({cell(seen.file)})", "the picture is missing")
                )
                continue
            _, boxes, labels = found.setdefault(picture, (split, [], []))
            if not any(cell(at) for at in cells.cells):
                continue
            box, kind = cells.read(row.cells), cell(kind_at) or _ONE_CLASS
            if box is None:
                raw.rejected.append(Rejected(item, "its box isn't four numbers"))
            elif not is_name(kind):
                raw.rejected.append(Rejected(item, "its class has no printable name"))
            else:
                boxes.append(list(box))
                labels.append(raw.class_index(kind))
    _sort_classes(raw, found)
    split_of = _splits(raw, places, {file: split for file, (split, _, _) in found.items()})
    for picture, (_, boxes, labels) in found.items():
        if picture not in split_of:
            continue
        raw.splits.setdefault(split_of[picture], []).append(
            AnnotatedPicture(
                file=picture,
                name=places.name(picture),
                size=None,
                boxes=as_boxes(boxes),
                labels=np.array(labels, np.int64),
                crowd=np.zeros(len(labels), np.bool_),
            )
        )
    bare = [places.name(file) for file in places.files if file not in found]
    raw.rejected += [Rejected(name, "no table has boxes of it") for name in bare]
    return raw


def _splits(raw: RawDataset, places: Places, told: dict[Path, str]) -> dict[Path, str]:
    """The split of each picture, by what tables tell; one that is none takes no part.

    Words that are no split mean nothing where no table names one: folds, or groups.
    """
    if not set(SPLITS) & set(told.values()):
        return dict.fromkeys(told, UNSPLIT)
    for picture, split in told.items():
        if split not in (*SPLITS, UNSPLIT):
            reason = f"'{split}' is no split (train, val, test)"
            raw.rejected.append(Rejected(places.name(picture), reason))
    if without := sum(split == UNSPLIT for split in told.values()):
        raw.notes.append(f"{without} pictures have no split: they are taken for train")
    return {
        picture: "train" if split == UNSPLIT else split
        for picture, split in told.items()
        if split in (*SPLITS, UNSPLIT)
    }


def _sort_classes(
    raw: RawDataset, found: dict[Path, tuple[str, list[list[float]], list[int]]]
) -> None:
    """Bring classes into alphabetical order, with ids from 1, whatever the order of the rows."""
    order = sorted(raw.classes)
    new = [order.index(name) for name in raw.classes]
    for _, _, labels in found.values():
        labels[:] = [new[label] for label in labels]
    raw.classes = order
    raw.category_ids = list(range(1, len(order) + 1))
