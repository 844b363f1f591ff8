"""Backups of a state folder: `python -m agent.server.backup save|restore FILE --state DIR`.

A backup is a tar file: the database as it was at one moment, the uploaded files, the keys, and
a list of all of it with checksums. It is taken while the server runs. A restore unpacks beside
the state folder, checks everything, and only then puts it in place.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from . import schema

CONTENTS = "contents.json"
DATABASE = "server.db"
KEYS = ("id", "signing.key", "credentials.json")
_CHUNK = 1 << 20


def save(state: Path, target: Path, credentials: Path | None = None) -> dict[str, int]:
    """Write a backup of a state folder, also of one whose server runs.

    Args:
        state: The folder.
        target: The tar file; packed with gzip if its name ends in `gz`.
        credentials: The credentials file, if it lies elsewhere.

    Returns:
        How many files and bytes it holds.

    Raises:
        ValueError: There is no state there, or the target is there already.
    """
    if not (state / DATABASE).is_file():
        raise ValueError(f"no server's state in {state}")
    if target.exists():
        raise ValueError(f"{target} is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=state) as beside:
        try:
            links = Path(beside) / "files"
            _link(state / "files", links)
            _snapshot(state / DATABASE, Path(beside) / DATABASE)
            # What was uploaded meanwhile, so that no address in the snapshot lacks its file.
            _link(state / "files", links)
            listed = {DATABASE: Path(beside) / DATABASE}
            listed |= {name: state / name for name in KEYS if (state / name).is_file()}
            if credentials is not None and credentials.is_file():
                listed["credentials.json"] = credentials
            listed |= {
                f"files/{path.relative_to(links).as_posix()}": path
                for path in sorted(links.rglob("*"))
                if path.is_file()
            }
            size = _pack(listed, fresh, packed=target.name.endswith("gz"))
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    return {"files": len(listed), "bytes": size}


def _link(source: Path, target: Path) -> None:
    """Hold the files by further names: nothing is copied, and they can't go meanwhile."""
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                (place / name).hardlink_to(Path(folder) / name)


def _snapshot(database: Path, target: Path) -> None:
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        with contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            # One file that needs none beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.close()


def _pack(listed: dict[str, Path], target: Path, *, packed: bool) -> int:
    contents: dict[str, dict[str, int | str]] = {}
    size = 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w:gz" if packed else "w") as archive:
            for name, path in listed.items():
                with path.open("rb") as file:
                    info = archive.gettarinfo(arcname=name, fileobj=file)
                    info.type, info.linkname = tarfile.REGTYPE, ""  # not a link to another name
                    info.size = os.fstat(file.fileno()).st_size
                    read = _Reading(file)
                    archive.addfile(info, read)
                contents[name] = {"bytes": info.size, "sha256": read.digest()}
                size += info.size
            text = json.dumps(
                {"layout": schema.VERSION, "made": time.time(), "contents": contents}, indent=1
            ).encode()
            info = tarfile.TarInfo(CONTENTS)
            info.size, info.mode, info.mtime = len(text), 0o600, int(time.time())
            archive.addfile(info, io.BytesIO(text))
        raw.flush()
        os.fsync(raw.fileno())
    return size


class _Reading:
    """A file that is summed up while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._sum.update(data)
        return data

    def digest(self) -> str:
        return self._sum.hexdigest()


def restore(source: Path, state: Path, credentials: Path | None = None) -> dict[str, int]:
    """Put a backup in place of a state folder.

    Args:
        source: The backup.
        state: The folder, absent or without a server's state.
        credentials: Where the credentials belong, if that is elsewhere.

    Returns:
        How many files and bytes it held.

    Raises:
        ValueError: The backup is damaged or not one, or there is a state already.
    """
    with _unused(state):
        if (state / DATABASE).exists():
            raise ValueError(
                f"{state} holds a server's state: move it away first, or restore elsewhere"
            )
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=state) as beside:
            found = _unpack(source, Path(beside))
            _check_database(Path(beside) / DATABASE)
            if credentials is not None and (Path(beside) / "credentials.json").exists():
                credentials.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(Path(beside) / "credentials.json", credentials)
            shutil.rmtree(state / "files", ignore_errors=True)
            (Path(beside) / "files").mkdir(exist_ok=True)
            # The database last: without it there is no state, and a restore can be begun anew.
            for name in ("files", *KEYS, DATABASE):
                path = Path(beside) / name
                if path.exists():
                    path.replace(state / name)
    return found


@contextlib.contextmanager
def _unused(state: Path) -> Iterator[None]:
    """Hold the state folder, as a server that runs does."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"a server is using {state}: stop it first") from error
        yield


def _unpack(source: Path, folder: Path) -> dict[str, int]:
    sums: dict[str, str] = {}
    size = 0
    try:
        with tarfile.open(source) as archive:
            for info in archive:
                if not info.isreg() or not _is_ours(info.name):
                    raise ValueError(f"{source}: not a backup: it holds {info.name!r}")
                path = folder / info.name
                path.parent.mkdir(parents=True, exist_ok=True)
                data = archive.extractfile(info)
                assert data is not None
                reading = _Reading(data)  # type: ignore[arg-type]
                with path.open("xb") as file:
                    os.fchmod(file.fileno(), 0o600)
                    while chunk := reading.read(_CHUNK):
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                sums[info.name] = reading.digest()
                size += info.size
        contents = json.loads((folder / CONTENTS).read_text())
        expected = {name: entry["sha256"] for name, entry in contents["contents"].items()}
        layout = int(contents["layout"])
    except FileNotFoundError as error:
        if error.filename == str(source):
            raise ValueError(f"no such file: {source}") from error
        raise ValueError(f"{source}: not a backup, or one cut short") from error
    except (tarfile.TarError, OSError, EOFError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{source}: not a backup, or a damaged one ({reason})") from error
    (folder / CONTENTS).unlink()
    del sums[CONTENTS]
    damaged = sorted(
        name for name in sums.keys() | expected if sums.get(name) != expected.get(name)
    )
    if damaged:
        raise ValueError(f"{source}: damaged: {damaged[0]}" + (" and others" * (len(damaged) > 1)))
    if layout > schema.VERSION:
        raise ValueError(f"{source}: made by a newer Sightline (layout {layout})")
    return {"files": len(sums), "bytes": size}


def _is_ours(name: str) -> bool:
    pieces = name.split("/")
    if any(piece in ("", ".", "..") for piece in pieces) or "\\" in name or "\0" in name:
        return False
    return name in (CONTENTS, DATABASE, *KEYS) or (pieces[0] == "files" and len(pieces) > 1)


def _check_database(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        raise ValueError(f"the backup's database is damaged: {answer}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Save or restore; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agent.server.backup", description=__doc__)
    parser.add_argument("action", choices=("save", "restore"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--credentials", type=Path)
    given = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        if given.action == "save":
            done = save(given.state.absolute(), given.file.absolute(), given.credentials)
        else:
            done = restore(given.file.absolute(), given.state.absolute(), given.credentials)
    except (ValueError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    size = done["bytes"] / 1e6
    sys.stdout.write(f"{given.action}d {done['files']} files, {size:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
