"""Unpack archives from strangers: into their folder, of sane size, all or nothing."""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

_CHUNK = 1 << 20
# Errors that are the disk's fault, not the archive's.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
# Below this many bytes a high ratio harms nobody: a text of blanks packs 1:1000.
_RATIO_FROM = 50 << 20
_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class ArchiveError(ValueError):
    """An archive that is broken or that we refuse to unpack."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may unpack to."""

    bytes: int = 200 << 30
    """All files together, bytes."""
    files: int = 5_000_000
    """Number of files and folders."""
    ratio: float = 200.0
    """Unpacked size by packed size, looked at above 50 MiB."""


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int
    folder: bool
    special: bool


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that `unpack` takes, by looking into it."""
    if not path.is_file():
        return False
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except (EOFError, zlib.error, lzma.LZMAError):  # broken within its first block
        return False


def has_archive_name(name: str) -> bool:
    """Whether a file name ends as archives that `unpack` takes do."""
    return name.lower().endswith(_SUFFIXES)


def unpack(archive: Path, target: Path, limits: Limits | None = None) -> Path:
    """Unpack a zip or tar archive (plain, gzip, bzip2, xz) into the new folder `target`.

    The folder appears when all is unpacked, or not at all. Links and device files are refused, as
    are names that lead out of the folder; so is an archive that goes past the limits, and one
    whose checksums don't fit.

    Args:
        archive: The file.
        target: Folder to make; must not exist.
        limits: How much may come out.

    Returns:
        `target`.

    Raises:
        ArchiveError: the archive is broken, unsafe or too big.
        FileExistsError: `target` exists.
    """
    limits = limits or Limits()
    if target.exists():
        raise FileExistsError(f"{target} exists already")
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        try:
            with _opened(archive) as entries:
                _write_all(archive, entries, room / "content", limits)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            EOFError,
            NotImplementedError,  # a compression that Python lacks
            RuntimeError,  # a zip with a password
            lzma.LZMAError,
            UnicodeDecodeError,  # of a name
            OSError,
        ) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            raise ArchiveError(f"{archive.name} can't be unpacked: {error}") from error
        (room / "content").rename(target)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return target


def _write_all(
    archive: Path, entries: Iterator[tuple[_Entry, IO[bytes] | None]], room: Path, limits: Limits
) -> None:
    room.mkdir()
    packed = max(1, archive.stat().st_size)
    count = written = 0
    seen: set[str] = set()
    for entry, content in entries:
        count += 1
        if count > limits.files:
            raise ArchiveError(f"{archive.name} holds more than {limits.files} files")
        parts = _parts(archive, entry)
        path = room.joinpath(*parts)
        if entry.folder or not parts:
            path.mkdir(parents=True, exist_ok=True)
            continue
        if content is None:
            raise ArchiveError(f"{archive.name}: '{entry.name}' has no content")
        if str(path) in seen:
            raise ArchiveError(f"{archive.name} holds '{entry.name}' twice")
        seen.add(str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            # Sizes in headers may lie: count what really comes out.
            while chunk := content.read(_CHUNK):
                written += len(chunk)
                if written > limits.bytes:
                    raise ArchiveError(
                        f"{archive.name} unpacks to more than {limits.bytes / 2**30:g} GiB"
                    )
                if written > max(_RATIO_FROM, packed * limits.ratio):
                    raise ArchiveError(
                        f"{archive.name} unpacks to more than {limits.ratio:g} times its size: "
                        "it looks like a zip bomb"
                    )
                file.write(chunk)
    if not count:
        raise ArchiveError(f"{archive.name} is empty")


def _parts(archive: Path, entry: _Entry) -> tuple[str, ...]:
    """The entry's path inside the folder, refused if it isn't inside or isn't a plain file."""
    name = entry.name.replace("\\", "/")
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    if path.is_absolute() or drive or ".." in path.parts or "\0" in name:
        raise ArchiveError(f"{archive.name}: '{entry.name}' leads out of the archive")
    if entry.special:
        raise ArchiveError(
            f"{archive.name}: '{entry.name}' is a link or a device, which isn't unpacked"
        )
    return path.parts


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[tuple[_Entry, IO[bytes] | None]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield _zip_entries(zipped)
    else:
        try:
            with tarfile.open(archive) as tar:
                yield _tar_entries(tar)
        except tarfile.ReadError as error:
            raise ArchiveError(
                f"{archive.name} is no zip or tar archive, or a broken one"
            ) from error


def _zip_entries(zipped: zipfile.ZipFile) -> Iterator[tuple[_Entry, IO[bytes] | None]]:
    for info in zipped.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        special = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
        entry = _Entry(info.filename, info.file_size, info.is_dir(), special)
        if entry.folder or special:
            yield entry, None
            continue
        with zipped.open(info) as content:
            yield entry, content


def _tar_entries(tar: tarfile.TarFile) -> Iterator[tuple[_Entry, IO[bytes] | None]]:
    for member in tar:
        special = not (member.isfile() or member.isdir())
        entry = _Entry(member.name, member.size, member.isdir(), special)
        yield entry, tar.extractfile(member) if member.isfile() else None
    # A compressed tar's checksum stands behind its last file; reading to the end checks it.
    rest = tar.fileobj
    while rest is not None and rest.read(_CHUNK):
        pass
