"""Splits that files list: `splits.csv`, or names in `train.csv`, `val.csv`, `test.csv` or .txt."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from models.data.raw import UNSPLIT, ListedT, RawPictures
from models.data.splits import SPLITS, split_name
from models.outcomes import Rejected

TABLE = "splits.csv"


def apply_lists(folder: Path, raw: RawPictures[ListedT]) -> None:
    """Divide the pictures as the folder's lists say, if it has any.

    `splits.csv` has the columns `split` and `file`, as prepared datasets hold it, and rules over
    folders. Lists of names, one a line, count where pictures came without splits. A file is named
    by its path in the folder, or by its last part where only one picture has it.

    Args:
        folder: The dataset's.
        raw: What was read; its splits are replaced. Pictures in no list are set aside.

    Raises:
        ValueError: a list can't be read, names a picture in two splits, or none that is there.
    """
    wanted = _table(folder / TABLE) if (folder / TABLE).is_file() else None
    origin = TABLE
    if wanted is None and set(raw.splits) == {UNSPLIT}:
        wanted, origin = _lists(folder, raw), "the lists of names"
    if not wanted:
        return
    pictures = {one.name: one for found in raw.splits.values() for one in found}
    by_last: dict[str, list[ListedT]] = {}
    for one in pictures.values():
        by_last.setdefault(one.file.name, []).append(one)
    splits: dict[str, list[ListedT]] = {
        split: [] for split in (*SPLITS, UNSPLIT) if split in wanted
    }
    placed: dict[str, str] = {}
    missing = 0
    for split, names in wanted.items():
        for name in dict.fromkeys(names):
            picture = _named(name, pictures, by_last)
            if picture is None:
                missing += 1
                continue
            before = placed.setdefault(picture.name, split)
            if before != split:
                raise ValueError(f"{origin}: {name} is in two splits, {before} and {split}")
    for name, split in placed.items():
        splits[split].append(pictures[name])
    if not placed:
        first = next(name for names in wanted.values() for name in names)
        raise ValueError(f"{origin} names none of the pictures; the first name is {first}")
    if missing:
        raw.notes.append(f"{origin}: {missing} names belong to no picture")
    raw.rejected += [
        Rejected(name, f"{origin} has it in no split") for name in sorted(pictures.keys() - placed)
    ]
    raw.splits = splits


def _named(
    name: str,
    pictures: Mapping[str, ListedT],
    by_last: Mapping[str, Sequence[ListedT]],
) -> ListedT | None:
    path = PurePosixPath(name.replace("\\", "/"))
    if str(path) in pictures:
        return pictures[str(path)]
    alike = by_last.get(path.name, ())
    return alike[0] if len(alike) == 1 else None


def _table(file: Path) -> dict[str, list[str]]:
    rows = csv.DictReader(_lines(file))
    if not {"split", "file"} <= set(rows.fieldnames or ()):
        raise ValueError(f"{file.name} needs the columns split and file")
    found: dict[str, list[str]] = {}
    for number, row in enumerate(rows, 2):
        split = UNSPLIT if row["split"] == UNSPLIT else split_name(row["split"] or "")
        if split is None:
            raise ValueError(
                f"{file.name}, line {number}: '{row['split']}' is no split; there are: "
                + ", ".join(SPLITS)
            )
        if row["file"]:
            found.setdefault(split, []).append(row["file"])
    return found


def _lists(folder: Path, raw: RawPictures[ListedT]) -> dict[str, list[str]]:
    """Names by split; a list of anything but pictures is somebody else's."""
    known = {one.file.name for found in raw.splits.values() for one in found}
    lists: dict[str, list[str]] = {}
    for file in sorted([*folder.glob("*.csv"), *folder.glob("*.txt")]):
        split = split_name(file.stem)
        if split is None or split in lists:
            continue
        names = [name for line in _lines(file) if (name := line.strip().strip('"'))]
        there = sum(PurePosixPath(name.replace("\\", "/")).name in known for name in names)
        if there * 2 > len(names):
            lists[split] = names
    return lists if "train" in lists else {}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{file.name} isn't UTF-8 text: save it as UTF-8") from None
