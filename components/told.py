"""Which task family data or a model on this disk are for: they say so themselves."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.families import families, family

_REFERENCES = ("model", "dataset", "data.source")
"""Options that may name a folder or zip, the one that knows best in front."""


def family_told(values: Mapping[str, Any]) -> str | None:
    """Find the family that the folders and zips among some options belong to.

    Args:
        values: options by dotted name.

    Returns:
        Its name; None if nothing on this disk tells.
    """
    for name in _REFERENCES:
        reference = values.get(name)
        if not isinstance(reference, str) or not reference:
            continue
        path = Path(reference).expanduser()
        try:
            told = _told(path)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            continue  # the stage itself says what is wrong with it
        if told in families():
            return told
    return None


def _told(path: Path) -> str | None:
    if path.suffix == ".zip" and path.is_file():
        with zipfile.ZipFile(path) as zipped:
            inside = [n for n in zipped.namelist() if n.rpartition("/")[2] == "model.json"]
            return _read(zipped.read(inside[0])) if inside else None
    if not path.is_dir():
        return None
    for file in (path / "model.json", path / "dataset.json"):
        if file.is_file():
            return _read(file.read_bytes())
    return next((name for name in families() if family(name).recognise(path)), None)


def _read(content: bytes) -> str:
    return str(json.loads(content)["family"])
