"""Crops with a text file beside each: `line.png` and `line.gt.txt`, as Tesseract learns from."""

from __future__ import annotations

import re
from pathlib import Path

from models.data.raw import UNSPLIT
from models.data.splits import split_in
from models.data.tables.places import Places
from models.data.tables.rows import decode
from models.ocr.data.texts import Raw, TextPicture, tidy
from models.outcomes import Rejected

NAME = "beside"
_SUFFIXES = (".gt.txt", ".txt")
_SAMPLE = 50
_LARGEST = 4096
# A class and four shares: labels of a detector (YOLO).
_YOLO = re.compile(r"(\d+(\s+[01]?\.\d+){4,}\s*)+|\s*")


def matches(folder: Path) -> bool:
    """Whether most pictures have a text file beside them, of one line that isn't YOLO's boxes."""
    files = Places(folder).files
    sample = files[:: max(1, len(files) // _SAMPLE)]
    found = sum(_text_file(file) is not None for file in sample)
    return bool(sample) and 2 * found > len(sample)


def _text_file(picture: Path) -> Path | None:
    for suffix in _SUFFIXES:
        path = picture.with_name(picture.stem + suffix)
        if path.is_file() and path.stat().st_size <= _LARGEST:
            text, _ = decode(path.read_bytes(), "latin-1")
            lines = text.strip().splitlines()
            if len(lines) <= 1 and not (suffix == ".txt" and _YOLO.fullmatch(text)):
                return path
    return None


def read(folder: Path, encoding: str) -> Raw:
    """Read the text beside each picture; folders called like splits say the split.

    Args:
        folder: for which `matches` holds.
        encoding: of the text files; UTF-8 or else cp1252 unless given.
    """
    places = Places(folder)
    raw = Raw(NAME)
    for file in places.files:
        name, beside = places.name(file), _text_file(file)
        if beside is None:
            raw.rejected.append(Rejected(name, "no file beside it holds a line of text"))
            continue
        try:
            text, _ = decode(beside.read_bytes(), encoding)
        except UnicodeError:
            raw.rejected.append(Rejected(name, f"{beside.name} isn't {encoding} text"))
            continue
        folders = reversed(file.relative_to(folder).parts[:-1])
        split = next((found for part in folders if (found := split_in(part))), UNSPLIT)
        raw.splits.setdefault(split, []).append(TextPicture(file, name, tidy(text)))
    if len(raw.splits) > 1 and UNSPLIT in raw.splits:
        raw.splits.setdefault("train", []).extend(raw.splits.pop(UNSPLIT))
        raw.notes.append("some pictures lie in no split's folder: they are taken for train")
    return raw
