"""Where COCO's annotation files and their pictures lie in a raw folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path, PurePosixPath
from typing import Any

from models.data.looking import files_below, folders_below
from models.data.raw import UNSPLIT
from models.data.splits import split_in, split_name
from models.detection.data.annotations import RawDataset

LABELS = "labels.json"
_ROBOFLOW = "_annotations.coco.json"
_SAMPLES = 20
_OTHER_TASKS = frozenset({"captions", "info", "keypoints", "panoptic", "stuff", "unlabeled"})
"""Words in names of COCO's files that hold no boxes of objects, or other ones."""


@dataclass(frozen=True)
class Part:
    """One annotation file and the folder that its file names start from."""

    split: str
    labels: Path
    pictures: Path
    names_only: bool = False
    """The folders in its file names are another machine's: only the last part counts."""


def parts_by_layout(folder: Path) -> list[Part]:
    """List the annotation files of a folder in one of the two fixed layouts; none if it's not."""
    parts = []
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = split_name(child.name)
        if name is not None and child.is_dir():
            parts += _labels_in(child, name)
    return parts or _labels_in(folder, UNSPLIT)


def _labels_in(folder: Path, split: str) -> list[Part]:
    if (folder / LABELS).is_file():
        pictures = folder / "data"
        return [Part(split, folder / LABELS, pictures if pictures.is_dir() else folder)]
    if (folder / _ROBOFLOW).is_file():
        return [Part(split, folder / _ROBOFLOW, folder)]
    return []


def files_anywhere(folder: Path) -> list[Path]:
    """JSON files that are COCO's by the look of their bytes: a large one is not parsed for it."""
    found = []
    for file in files_below(folder, (".json",)):
        if file.stat().st_size == 0:
            continue
        with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as text:
            if all(text.find(b'"%s"' % key) >= 0 for key in (b"images", b"annotations")):
                found.append(file)
    return found


def parts_anywhere(folder: Path, raw: RawDataset) -> list[Part]:
    """Choose one annotation file for each split among all of a folder, by their names.

    Args:
        folder: of the raw dataset.
        raw: gets a note about the files that are left out.

    Raises:
        ValueError: several files could be a split's.
    """
    by_split: dict[str, list[Path]] = {}
    for file in files_anywhere(folder):
        names = (file.stem, *reversed(file.relative_to(folder).parts[:-1]))
        split = next((found for name in names if (found := split_in(name))), UNSPLIT)
        by_split.setdefault(split, []).append(file)
    chosen: dict[str, Path] = {}
    for split, files in by_split.items():
        detection = [f for f in files if not _OTHER_TASKS & set(re.findall("[a-z]+", f.stem))]
        likely = [f for f in detection if "instances" in f.stem] or detection
        if len(likely) > 1:
            which = " and ".join(f.relative_to(folder).as_posix() for f in likely[:3])
            raise ValueError(
                f"several files could hold the annotations of "
                f"{'all pictures' if split == UNSPLIT else split}: {which}; say which with "
                f"data.{'train' if split == UNSPLIT else split}.annotations"
            )
        if likely:
            chosen[split] = likely[0]
    if len(chosen) > 1:
        chosen.pop(UNSPLIT, None)  # all splits once more
    if len(chosen) < sum(map(len, by_split.values())):
        left = [f for files in by_split.values() for f in files if f not in chosen.values()]
        raw.notes.append(
            "not read: " + ", ".join(sorted(f.relative_to(folder).as_posix() for f in left))
        )
    return [Part(split, file, file.parent) for split, file in chosen.items()]


def with_pictures(folder: Path, part: Part, content: Mapping[str, Any]) -> Part:
    """Find the folder where the pictures are, if they aren't where the layout has them."""
    names = [row["file_name"] for row in content["images"] if isinstance(row.get("file_name"), str)]
    names = names[:: max(len(names) // _SAMPLES, 1)]
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    inside = [path for path in paths if not path.is_absolute() and ".." not in path.parts]
    if not names or _there(part.pictures, inside):
        return part
    folders = folders_below(folder)

    def fit(place: Path, wanted: Sequence[PurePosixPath]) -> tuple[int, bool, int]:
        its = [found for name in place.relative_to(folder).parts if (found := split_in(name))]
        near = len(Path(os.path.relpath(place, part.labels.parent)).parts)
        return _there(place, wanted), part.split in its, -near

    for names_only, wanted in ((False, inside), (True, [PurePosixPath(p.name) for p in paths])):
        best = max(folders, key=lambda place: fit(place, wanted))
        if _there(best, wanted):
            return Part(part.split, part.labels, best, names_only)
    return part


def _there(folder: Path, paths: Sequence[PurePosixPath]) -> int:
    # Of `Path.is_file`'s answers some are errors: a name that is too long.
    return sum(os.path.isfile(folder / path) for path in paths)  # noqa: PTH113
