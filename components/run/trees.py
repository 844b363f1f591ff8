"""Folders as wholes: their hash, their equality, and packages that came as a zip."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.data.looking import walk


def files_of(folder: Path, leave_out: Container[str] = ()) -> list[Path]:
    """List all files below a folder in a fixed order, as paths relative to it."""
    found = (path.relative_to(folder) for path in walk(folder))
    return sorted((p for p in found if str(p) not in leave_out), key=lambda path: path.as_posix())


def tree_hash(folder: Path, leave_out: Container[str] = ()) -> str:
    """Hash the names and contents of all files below a folder."""
    return hash_of(file_hashes(folder, leave_out))


def hash_of(hashes: Mapping[str, str]) -> str:
    """Make one hash of those of `file_hashes`."""
    total = hashlib.sha256()
    for name, one in hashes.items():
        total.update(f"{name}\0{one}\n".encode())
    return total.hexdigest()


def file_hashes(folder: Path, leave_out: Container[str] = ()) -> dict[str, str]:
    """Hash each file below a folder, in a fixed order, by its path relative to it."""
    names = files_of(folder, leave_out)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing lets other threads run
        found = pool.map(lambda name: file_hash(folder / name), names, chunksize=64)
        return {name.as_posix(): one for name, one in zip(names, found, strict=True)}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def same_tree(one: Path, other: Path, leave_out: Container[str] = ()) -> bool:
    """Tell whether two folders hold the same files."""
    names = files_of(one, leave_out)
    if names != files_of(other, leave_out):
        return False
    if any((one / n).stat().st_size != (other / n).stat().st_size for n in names):
        return False
    return all(file_hash(one / name) == file_hash(other / name) for name in names)


def unpacked(path: Path, below: Path) -> Path:
    """Return a model package's folder; a zip is unpacked into a folder named by its hash."""
    if path.is_dir():
        return path
    from models.package import unzip_package

    target = below / file_hash(path)[:16]
    if not target.is_dir():
        draft = target.with_suffix(".part")
        unzip_package(path, draft)
        draft.rename(target)
    return target
