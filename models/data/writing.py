"""Write the parts of a dataset folder that every task has: pictures, lists, what was set aside."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.data.pictures import rewrite_plain
from models.data.raw import CheckedPicture, Findings, ListedT
from models.outcomes import Rejected
from models.reporting import Reporter

DATASET = "dataset.json"
REJECTED = "rejected.json"
SPLITS_CSV = "splits.csv"


def write_pictures(
    splits: Mapping[str, Sequence[CheckedPicture[ListedT]]],
    target: Path,
    labels: Callable[[str, Sequence[tuple[str, ListedT]]], object],
    reporter: Reporter,
) -> None:
    """Write the pictures of each split into `<split>/data/`, and `splits.csv`.

    A file that any reader understands alike is taken over as it is, as a hard link where that
    works. Others (turned by EXIF, CMYK, 16 bits, transparent, TIFF, GIF) are written anew.

    Args:
        splits: the pictures.
        target: the dataset's folder.
        labels: writes down what is known about a split's pictures, given the split and, in their
            order, each picture's new name in `data/` and the picture.
        reporter: takes progress.
    """
    total, done = sum(map(len, splits.values())), 0
    places: dict[str, list[str]] = {split: [] for split in splits}
    for split, pictures in splits.items():
        folder = target / split / "data"
        folder.mkdir(parents=True)
        taken: set[str] = set()
        rows: list[tuple[str, ListedT]] = []
        for one in pictures:
            name = place_picture(one, folder, taken, link_or_copy)
            places[split].append(f"{split}/data/{name}")
            rows.append((name, one.picture))
            done += 1
            reporter.progress("writing pictures", done, total)
        labels(split, rows)
    write_splits(places, target)


def write_splits(places: Mapping[str, Sequence[str]], target: Path) -> None:
    """Write `splits.csv`: the split of each picture, by its path in the dataset."""
    with (target / SPLITS_CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["split", "file"])
        for split, names in places.items():
            writer.writerows([split, name] for name in names)


def place_picture(
    one: CheckedPicture[ListedT],
    folder: Path,
    taken: set[str],
    put: Callable[[Path, Path], object],
    *,
    stems: bool = False,
) -> str:
    """Put a picture under a name that no other in the folder has.

    Args:
        one: The picture.
        folder: Where to put it.
        taken: Names that are there already; takes the new one.
        put: Copies or links a file.
        stems: Names must differ without their suffixes too, since other files bear them.

    Returns:
        The name.
    """
    source = one.picture.file
    suffix = source.suffix if one.facts.plain else _new_suffix(one)
    # Some file systems don't tell a.jpg from A.jpg.
    name = next(name for name in _names(source.stem, one, suffix) if _key(name, stems) not in taken)
    taken.add(_key(name, stems))
    path = folder / name
    if one.facts.plain:
        put(source, path)
    else:
        rewrite_plain(source, path)
    return name


def _names(stem: str, one: CheckedPicture[ListedT], suffix: str) -> Iterator[str]:
    """Give the names to try, made as they are asked for: nearly always the first one will do."""
    yield f"{stem}{suffix}"
    marked = f"{stem}-{one.facts.digest[:8]}"
    yield f"{marked}{suffix}"
    for number in itertools.count(2):
        yield f"{marked}-{number}{suffix}"


def _key(name: str, stems: bool) -> str:
    return (Path(name).stem if stems else name).casefold()


def _new_suffix(one: CheckedPicture[ListedT]) -> str:
    return ".jpg" if one.facts.suffix == ".jpg" else ".png"


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where links don't work (another disk, foreign files)."""
    real = source.resolve()
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)


def write_findings(findings: Findings, notes: Sequence[str], target: Path) -> None:
    """Write what was set aside and what was mended, each with the reason."""

    def rows(found: Sequence[Rejected]) -> list[dict[str, str]]:
        return [{"item": one.item, "reason": one.reason} for one in found]

    content = {
        "rejected": rows(findings.rejected),
        "mended": rows(findings.mended),
        "notes": list(notes),
    }
    write_json(target / REJECTED, content, indent=1)


def write_json(path: Path, content: Any, indent: int | None = None) -> None:
    """Write JSON whose bytes depend on the content only."""
    separators = None if indent else (",", ":")
    text = json.dumps(
        content, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False
    )
    # Half a surrogate pair, which JSON may hold, stays the escape that it was.
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace", newline="\n")
