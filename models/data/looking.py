"""Look through a folder for files, past what operating systems and tools leave behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePath

_LEFT_BEHIND = ("__MACOSX",)


def is_hidden(path: PurePath) -> bool:
    """Whether a relative path leads through something hidden, or left behind by a system."""
    return any(part.startswith(".") or part in _LEFT_BEHIND for part in path.parts)


def walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, in no fixed order.

    Links to folders are followed, as people keep pictures elsewhere, but never in a circle.
    """
    yield from _walk(folder, frozenset())


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    stat = folder.stat()
    here = stat.st_dev, stat.st_ino
    if here in above:
        return
    with os.scandir(folder) as entries:
        found = list(entries)  # so that no folder stays open while deeper ones are read
    for entry in found:
        if _is(entry.is_dir):
            yield from _walk(Path(entry.path), above | {here})
        elif _is(entry.is_file):
            yield Path(entry.path)


def _is(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError:  # a link to itself
        return False


def folders_below(folder: Path) -> list[Path]:
    """The folder and all below it that hold a file somewhere, hidden ones left out; in order."""
    found = {folder}
    for file in walk(folder):
        inner = file.relative_to(folder).parent
        if not is_hidden(inner):
            found.update(folder / one for one in (inner, *inner.parents))
    return sorted(found)


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files of some suffixes (lower case, with the dot) anywhere below a folder, in fixed order."""
    if not folder.is_dir():
        return []
    return sorted(
        file
        for file in walk(folder)
        if file.suffix.lower() in suffixes and not is_hidden(file.relative_to(folder))
    )
