"""Names under which results are written: plain, unique, in the sources' folders."""

from __future__ import annotations

import re
from pathlib import PurePath, PurePosixPath

_LONGEST = 100
"""Characters of one part of a name; file systems allow 255 bytes, and suffixes are added."""


def shown(text: object) -> str:
    """Write a file's name for people, on one line, whatever bytes are in it."""
    plain = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in plain
    )


def part(text: str) -> str:
    """Make a file name that any file system takes of any text."""
    plain = "".join("_" if 0xD800 <= ord(sign) < 0xE000 else sign for sign in text)
    plain = re.sub(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\\/:*?"<>|]+', "_", plain)
    while len(plain.encode()) > 2 * _LONGEST or len(plain) > _LONGEST:
        plain = plain[:-1]
    return plain.strip(" ").rstrip(".").lstrip(".") or "_"


def written(path: PurePath) -> PurePosixPath:
    """Make a relative path that stays below any folder it is put into."""
    parts = [part(one) for one in path.parts if one not in ("..", ".", path.anchor)]
    return PurePosixPath(*parts) if parts else PurePosixPath("_")


class Names:
    """Gives each source a name that no other has, on file systems without upper case too."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, path: PurePath) -> PurePosixPath:
        """Make a name of a source's path below what the user named; its suffix falls away."""
        plain = written(path)
        wished = plain.with_name(plain.stem)
        number, name = 1, wished
        while str(name).casefold() in self._taken:
            number += 1
            name = wished.with_name(f"{wished.name}_{number}")
        self._taken.add(str(name).casefold())
        return name
