"""Find what a user names: files, folders, patterns, cameras and streams."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from models.data.jpg import PDF
from models.data.pictures import PICTURE_SUFFIXES
from models.prediction.names import shown

VIDEO_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts"),
        *(".m2ts", ".wmv", ".flv", ".3gp", ".ogv", ".mjpg", ".mjpeg", ".vob"),
    }
)
"""Suffixes of the files that are taken for videos, in lower case."""
STANDARD_INPUT = "-"
_CAMERA = re.compile(r"camera:(\d{1,3})")
_STREAM = re.compile(r"(rtsp|rtsps|rtmp|http|https|udp|tcp)://\S+")

Kind = Literal["picture", "pdf", "video", "live"]
Problem = Callable[[str, str], None]
"""Takes what couldn't be read, as it is shown to people, and the reason."""


@dataclass(frozen=True)
class Source:
    """One file, camera or stream."""

    kind: Kind
    path: str
    """The file, the camera's number, or the stream's address."""
    below: PurePath
    """Its path below what the user named; results are named by it."""
    relative: bool = False
    """Whether people are shown the path below only."""

    @property
    def shown(self) -> str:
        """Name it for people; without the password that an address may hold."""
        return shown(self.below if self.relative or self.kind == "live" else self.path)


class Sources:
    """All that a user's words name, in a fixed order; walks over them anew each time."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        listed: Iterable[str] | None = None,
        leave_out: Path | None = None,
        relative: bool = False,
    ) -> None:
        """Take the user's words.

        Args:
            words: files, folders, patterns (`a/**/*.jpg`), `camera:0`, addresses of streams, or
                `-` for `listed`.
            listed: paths, one in each line; read once.
            leave_out: a folder that is walked past: that of the results.
            relative: show people paths below what is named only, the same on any machine.

        Raises:
            ValueError: nothing is named.
        """
        if not words:
            raise ValueError("name a picture, video, PDF, folder, pattern, camera:0, a stream or -")
        self._words = words
        self._listed = listed
        self._relative = relative
        self._out = _identity(leave_out) if leave_out is not None else None
        self.ignored = 0
        """Files in folders that are neither pictures nor videos nor PDFs."""

    @property
    def countable(self) -> bool:
        """Whether walking over them twice finds the same."""
        return not any(word == STANDARD_INPUT or _live(word) for word in self._words)

    def walk(self, problem: Problem) -> Iterator[Source]:
        """Find them, telling `problem` what can't be read."""
        self.ignored = 0
        for word in self._words:
            if word == STANDARD_INPUT:
                some = False
                for line in self._listed or ():
                    if path := line.rstrip("\r\n"):
                        some = True
                        yield from self._named(path, problem)
                if not some:
                    problem("standard input", "it names no path")
            else:
                yield from self._named(word, problem)

    def _named(self, word: str, problem: Problem) -> Iterator[Source]:
        if live := _live(word):
            yield live
            return
        try:
            path = Path(word).expanduser()
            if path.is_dir():
                yield from self._folder(path, problem)
            elif path.is_symlink() or path.exists():
                yield from self._file(path, problem)
            elif glob.has_magic(word):
                yield from self._pattern(path, problem)
            else:
                problem(shown(word), "there is no such file or folder")
        except (OSError, ValueError, RuntimeError):  # too long, a null byte, no such home
            problem(shown(word), "its name is none that a file can have")

    def _file(self, path: Path, problem: Problem) -> Iterator[Source]:
        if not path.exists():
            problem(shown(path), "it is a link that leads nowhere")
        elif not path.is_file():
            problem(shown(path), "it is neither a file nor a folder")
        else:
            # What is named is tried even if its suffix says nothing: the content decides.
            yield self._source(_kind(path) or "picture", path, path.parent)

    def _pattern(self, pattern: Path, problem: Problem) -> Iterator[Source]:
        parts = pattern.parts
        fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
        root = Path(*parts[:fixed])
        seen: set[tuple[int, int, str]] = set()
        found = 0
        for path in sorted(root.glob(str(Path(*parts[fixed:])))):
            if path.is_dir():
                continue
            # A link to a folder above shows the same files again and again.
            place = (*(_identity(path.parent) or (0, 0)), path.name)
            if place in seen or self._inside_out(path):
                continue
            seen.add(place)
            kind = _kind(path)
            if kind is None:
                self.ignored += 1
                continue
            found += 1
            yield self._source(kind, path, root)
        if not found:
            problem(shown(pattern), "no picture, video or PDF fits this pattern")

    def _inside_out(self, path: Path) -> bool:
        return self._out is not None and any(
            _identity(folder) == self._out for folder in path.resolve().parents
        )

    def _folder(self, root: Path, problem: Problem) -> Iterator[Source]:
        found = 0
        for path in self._walk(root, set(), [], problem):
            kind = _kind(path)
            if kind is None:
                self.ignored += 1
                continue
            found += 1
            yield self._source(kind, path, root)
        if not found:
            problem(shown(root), "no picture, video or PDF lies in this folder")

    def _source(self, kind: Kind, path: Path, root: Path) -> Source:
        """Name a file: by its path below its root if that is all there is, else by all of it."""
        alone = len(self._words) == 1 and self._words[0] != STANDARD_INPUT
        below = path.relative_to(root) if alone else path
        return Source(kind, str(path), below, self._relative)

    def _walk(
        self,
        folder: Path,
        seen: set[tuple[int, int]],
        above: list[tuple[int, int]],
        problem: Problem,
    ) -> Iterator[Path]:
        """Walk a folder in a fixed order: its files, then its folders, each once."""
        identity = _identity(folder)
        if identity is None or identity == self._out:
            return
        if identity in above:
            problem(shown(folder), "the link leads back to a folder above it")
            return
        if identity in seen:
            return
        seen.add(identity)
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            problem(shown(folder), f"the folder can't be read: {error.strerror}")
            return
        folders = []
        for entry in inside:
            if entry.name.startswith("."):
                continue
            path = folder / entry.name
            try:
                is_folder = entry.is_dir()
                is_file = not is_folder and entry.is_file()
            except OSError:
                is_folder = is_file = False
            if is_folder:
                folders.append(path)
            elif is_file:
                yield path
            elif _kind(path):
                problem(shown(path), "it is no file, or a link that leads nowhere")
        for one in folders:
            yield from self._walk(one, seen, [*above, identity], problem)


def _kind(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    if suffix == PDF:
        return "pdf"
    return "video" if suffix in VIDEO_SUFFIXES else None


def _live(word: str) -> Source | None:
    if camera := _CAMERA.fullmatch(word):
        return Source("live", camera[1], PurePath(f"camera-{camera[1]}"))
    if _STREAM.fullmatch(word):
        return Source("live", word, PurePath(re.sub(r"[^\w.-]+", "_", _without_secrets(word))))
    return None


def _without_secrets(address: str) -> str:
    """Take user, password and query out of an address."""
    return re.sub(r"//[^/@]*@", "//", address).partition("?")[0]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
