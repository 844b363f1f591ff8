"""Crops whose file names say the text: `4006381333931_2.jpg`."""

from __future__ import annotations

import re
from pathlib import Path

from models.data.looking import files_below
from models.data.raw import UNSPLIT
from models.data.splits import split_name
from models.data.tables.places import Places
from models.ocr.data.texts import Raw, TextPicture, tidy
from models.outcomes import Rejected

NAME = "names"
_USUAL = re.compile(r"(?P<text>.+?)(_\d{1,9})?", re.DOTALL)
_HOLES = {"<text>": "(?P<text>.+?)", "<n>": r"\d+", "<any>": ".*?"}
_ANNOTATIONS = (".json", ".jsonl", ".xml", ".csv", ".tsv", ".yaml")
_FOLDERS = frozenset({"data", "images", "crops", "imgs", "pictures"})


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Turn a pattern such as `<any>_<text>_<n>` into a regular expression."""
    if not pattern:
        return _USUAL
    parts = re.split(r"(<text>|<n>|<any>)", pattern)
    return re.compile("".join(_HOLES.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(folder: Path) -> bool:
    """Whether the folder holds pictures alone, whose names are texts rather than numbers.

    Folders named otherwise than the splits are classes: such data are for classification. Names
    that count (IMG_0001, IMG_0002) say nothing.
    """
    places = Places(folder)
    if not places.files or files_below(folder, _ANNOTATIONS):
        return False
    for file in places.files:
        for part in file.relative_to(folder).parts[:-1]:
            if split_name(part) is None and part.lower() not in _FOLDERS:
                return False
    return not _count_up([file.stem for file in places.files])


def _count_up(stems: list[str]) -> bool:
    """Whether most names are one word and a number that goes up, or have no letter or digit."""
    parts = [re.fullmatch(r"(.*?)(\d*)", stem) for stem in stems]
    heads = [found.group(1) if found else "" for found in parts]
    numbers = [int(found.group(2)) for found in parts if found and found.group(2)]
    if len(numbers) < len(stems) or len(set(heads)) > max(1, len(stems) // 10):
        return False
    if len(stems) == 1:
        return bool(heads[0])
    return max(numbers) - min(numbers) < 20 * len(stems)


def read(folder: Path, pattern: str) -> Raw:
    """Read the texts from the names of all pictures in a folder.

    Args:
        folder: of pictures; folders in it that are called like splits say the split.
        pattern: how names hold texts; see `PrepareOptions.pattern`.
    """
    places = Places(folder)
    raw = Raw(NAME)
    expression = compile_pattern(pattern)
    for file in places.files:
        found = expression.fullmatch(file.stem)
        name = places.name(file)
        if found is None:
            raw.rejected.append(Rejected(name, f"its name doesn't fit the pattern '{pattern}'"))
            continue
        folders = file.relative_to(folder).parts[:-1]
        split = next((one for part in folders if (one := split_name(part))), UNSPLIT)
        picture = TextPicture(file, name, tidy(found.group("text")))
        raw.splits.setdefault(split, []).append(picture)
    if len(raw.splits) > 1 and UNSPLIT in raw.splits:
        raw.splits.setdefault("train", []).extend(raw.splits.pop(UNSPLIT))
        raw.notes.append("some pictures lie in no split's folder: they are taken for train")
    return raw
