"""The folder of results: nothing in it is overwritten that an earlier run hasn't written."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Self

from models.prediction.names import shown

LIST = ".sightline-predict"
"""Names the files that a run has written, one as JSON in each line; the next run removes them."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
_LEAST = 4 << 20
"""Free bytes under which nothing is begun: OpenCV doesn't say that a video could not be written."""


class ResultsFolder:
    """Where the files of one run go. May be used from several threads."""

    def __init__(self, path: Path) -> None:
        """Take a folder, which may hold an earlier run's files; they are removed.

        Raises:
            ValueError: it holds something else, can't be written, or the disk is full.
        """
        self.path = path
        self.files = 0
        """Files written so far."""
        self._lock = threading.Lock()
        self._made: set[Path] = set()
        with self.writing():
            if path.exists() and not path.is_dir():
                raise ValueError(f"{shown(path)} is a file: give a folder for the results")
            path.mkdir(parents=True, exist_ok=True)
            written = path / LIST
            if written.is_file():
                _remove(path, written)
            elif any(path.iterdir()):
                raise ValueError(
                    f"{shown(path)} holds what no earlier predict has written: give another folder"
                )
            self.check_room()
            self._list = written.open("w", encoding="utf-8")

    def check_room(self) -> None:
        """Make sure that there is some room left.

        Raises:
            ValueError: the disk is full.
        """
        found = os.statvfs(self.path)
        if found.f_bavail * found.f_frsize < _LEAST:
            raise self._full()

    def _full(self) -> ValueError:
        return ValueError(
            f"{shown(self.path)}: no room is left on this disk; what was written until now is whole"
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say in one line why something can't be written.

        Raises:
            ValueError: the disk is full, or the folder can't be written.
        """
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise self._full() from None
            place = shown(error.filename or self.path)
            raise ValueError(f"{place} can't be written: {error.strerror}") from None

    def write(self, name: PurePosixPath, content: bytes) -> Path:
        """Write a file, which appears whole or not at all; a name that is there gets a number."""
        with self.writing():
            part = self.part(name)
            try:
                part.write_bytes(content)
                return self.keep(part, name)
            finally:
                part.unlink(missing_ok=True)

    def part(self, name: PurePosixPath) -> Path:
        """Name a file that is being written and that `keep` gives its real name.

        The suffix stays, for those who go by it.
        """
        folder = self.path / name.parent
        if folder not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        part = folder / f".part-{name.name}"
        self._note(part)
        return part

    def keep(self, part: Path, name: PurePosixPath) -> Path:
        """Give a written file its real name, or that with a number if it's taken."""
        number, target = 1, self.path / name
        while not _renamed(part, target):
            number += 1
            target = (self.path / name).with_stem(f"{name.stem}_{number}")
        # Not sooner: a file that lies there already may be somebody else's.
        self._note(target)
        with self._lock:
            self.files += 1
        return target

    @contextmanager
    def lines(self, name: PurePosixPath) -> Iterator[IO[str]]:
        """Open a text file that grows; it's there from the start."""
        with self.writing():
            path = self.path / name
            with path.open("x", encoding="utf-8", newline="\n") as file:
                self._note(path)
                with self._lock:
                    self.files += 1
                yield file

    def _note(self, path: Path) -> None:
        with self._lock:
            line = json.dumps(path.relative_to(self.path).as_posix())
            self._list.write(line + "\n")
            self._list.flush()

    def close(self) -> None:
        """Close the list of what was written."""
        with self.writing():
            self._list.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _renamed(part: Path, target: Path) -> bool:
    """Rename, unless the name is taken."""
    try:
        os.link(part, target)  # fails if it's taken, which a rename doesn't
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        if target.exists():
            return False
        part.rename(target)
    else:
        part.unlink()
    return True


def _remove(folder: Path, listed: Path) -> None:
    """Remove what an earlier run has written, and folders that are empty then."""
    folders: set[Path] = set()
    with listed.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            with suppress(ValueError, TypeError):
                name = PurePosixPath(json.loads(line))
                # The list may come from anywhere: it must not lead out of the folder.
                if name.is_absolute() or ".." in name.parts or not name.parts or "\0" in str(name):
                    continue
                path = folder / name
                inside = path.parent.resolve().is_relative_to(folder.resolve())
                if inside and path.is_file() and not path.is_symlink():
                    path.unlink()
                    folders.update(path.parents)
    for one in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        if one != folder and one.is_relative_to(folder):
            with suppress(OSError):
                one.rmdir()
