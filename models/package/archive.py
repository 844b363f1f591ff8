"""One zip of a model package: the same package gives the same bytes."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from models.data.archive import Limits, unpack
from models.package.folder import CARD, ModelPackage

_LIMITS = Limits(bytes=64 << 30, files=1000)
_CHUNK = 1 << 20


def zip_package(folder: Path | str, archive: Path | str) -> Path:
    """Write a package into a zip, which appears whole or not at all.

    Only `model.json` and the files it names go in, sorted, uncompressed (weights don't shrink, and
    compressed bytes differ between zlib versions) and without times or owners.

    Args:
        folder: the package; checked first.
        archive: the zip to write; an earlier one is replaced.

    Returns:
        `archive`.

    Raises:
        ValueError: the package is damaged.
    """
    package = ModelPackage.load(folder)
    return write_zip({CARD: package.folder / CARD, **package.sources}, Path(archive))


def write_zip(sources: Mapping[str, Path], archive: Path) -> Path:
    """Write files into a zip, which appears whole or not at all: the same files, the same bytes.

    They are sorted, uncompressed and without times or owners.

    Args:
        sources: files by their names in the zip.
        archive: the zip to write; an earlier one is replaced.

    Returns:
        `archive`.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f".{archive.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as zipped:
            for name, path in sorted(sources.items()):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system = 3  # Unix, wherever it was packed
                entry.external_attr = 0o100644 << 16
                entry.file_size = path.stat().st_size
                with path.open("rb") as source, zipped.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, _CHUNK)
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)
    return archive


def unzip_package(archive: Path | str, folder: Path | str) -> ModelPackage:
    """Unpack and check a package; `folder` appears whole or not at all.

    Args:
        archive: from `zip_package`, or made by anybody from a package's folder.
        folder: to make; must not exist.

    Raises:
        ValueError: it is unsafe to unpack, or no package, or a damaged one.
        FileExistsError: `folder` exists.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already")
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        unpack(Path(archive), draft, _LIMITS)
        ModelPackage.load(draft)
        draft.rename(folder)
    except ValueError as error:
        raise ValueError(str(error).replace(str(draft), str(archive))) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return ModelPackage.load(folder, verify=False)
