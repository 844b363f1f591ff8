"""Put a raw dataset together from annotations and pictures that are named for each split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from models.data.tables.listing import look
from models.data.tables.places import Places
from models.data.tables.rows import SUFFIXES, read_table
from models.data.writing import link_or_copy


def assemble(parts: Mapping[str, tuple[Path, Path]], target: Path) -> None:
    """Lay the splits out as one dataset in a format that is read; pictures are hard-linked.

    Of the pictures only those are taken that the annotations name: several splits may share one
    folder.

    Args:
        parts: by split, a table (CSV, TSV, JSONL, ...) or a COCO file whose annotations have texts,
            and the folder that its pictures' names start from.
        target: folder to make.

    Raises:
        ValueError: something isn't there, or isn't a table of pictures.
    """
    for split, (table, pictures) in parts.items():
        if not pictures.is_dir():
            raise ValueError(f"{split}: there is no folder of pictures {pictures}")
        if not table.is_file() or table.suffix.lower() not in SUFFIXES:
            told = ", ".join(SUFFIXES)
            raise ValueError(f"{split}: {table} is no table of texts (a file of {told})")
        places = Places(pictures)
        coco = _coco(table)
        named = _named_by_coco(coco, places) if coco else _named_by_table(table, places)
        if not named:
            raise ValueError(f"{split}: {table} names no picture that is in {pictures}")
        home = target / split
        (home / "data").mkdir(parents=True)
        shutil.copyfile(table, home / ("labels.json" if coco else table.name))
        for file in sorted(named):
            place = home / "data" / file.relative_to(pictures)
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(file, place)


def _coco(file: Path) -> dict[str, Any] | None:
    if file.suffix.lower() != ".json":
        return None
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None
    whole = isinstance(content, dict) and {"images", "annotations"} <= content.keys()
    return content if whole else None


def _named_by_coco(content: Mapping[str, Any], places: Places) -> set[Path]:
    found = set()
    for row in content["images"]:
        name = row.get("file_name") if isinstance(row, dict) else None
        path = PurePosixPath(str(name or "").replace("\\", "/"))
        if not path.is_absolute() and ".." not in path.parts and (places.folder / path).is_file():
            found.add(places.folder / path)
    return found


def _named_by_table(file: Path, places: Places) -> set[Path]:
    table = read_table(file)
    seen = look(table, places)
    if seen is None:
        return set()
    cells = (row.cells[seen.file] for row in seen.rows if len(row.cells) > seen.file)
    return {found for cell in cells if (found := places.find(str(cell), places.folder))}
