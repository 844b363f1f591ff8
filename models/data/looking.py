"""Look through a folder for files, past what operating systems and tools leave behind."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePath

_LEFT_BEHIND = ("__MACOSX",)


def is_hidden(path: PurePath) -> bool:
    """Whether a relative path leads through something hidden, or left behind by a system."""
    return any(part.startswith(".") or part in _LEFT_BEHIND for part in path.parts)


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files of some suffixes (lower case, with the dot) anywhere below a folder, in fixed order."""
    if not folder.is_dir():
        return []
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in suffixes
        and not is_hidden(file.relative_to(folder))
        and file.is_file()
    )
