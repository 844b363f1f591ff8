"""Files that stay where they are (S3, GS, Azure, a shared folder) and are linked from a dataset.

ClearML's storage drivers read them, with the credentials of `clearml.conf` or the environment.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CLOUD = ("s3://", "gs://", "azure://")
_WORKERS = 16


def is_cloud(source: str) -> bool:
    """Tell whether a source lies in a cloud's storage."""
    return source.startswith(CLOUD)


def list_files(source: str) -> dict[str, str]:
    """List all files below an address, as their URL by path.

    Raises:
        ValueError: nothing is there, or it can't be listed.
    """
    if not is_cloud(source):
        folder = Path(source).expanduser().absolute()
        # ClearML takes what follows file:// as it is: nothing is escaped.
        found = {
            Path(where, name).relative_to(folder).as_posix(): f"file://{Path(where, name)}"
            for where, _, names in os.walk(folder)
            for name in names
            if not name.startswith(".")
        }
    else:
        from clearml import StorageManager

        home = source.rstrip("/") + "/"
        try:
            urls = StorageManager.list(home, return_full_path=True) or []
        except Exception as error:  # whatever the cloud's client raises
            raise ValueError(_unreachable(source, error)) from error
        found = {url[len(home) :]: url for url in urls if url.startswith(home) and url != home}
    if not found:
        raise ValueError(_unreachable(source, None))
    return dict(sorted(found.items()))


def _unreachable(source: str, error: Exception | None) -> str:
    said = f" ({type(error).__name__})" if error else ""
    return (
        f"{source}: no file can be listed there{said}; check the address, and the credentials for "
        f"it in clearml.conf (sdk.aws.s3, sdk.google.storage, sdk.azure.storage) or the environment"
    )


def fetch_files(urls: Mapping[str, str], folder: Path) -> None:
    """Copy linked files into a folder, by path.

    Raises:
        ValueError: one of them can't be had.
    """

    def fetch(item: tuple[str, str]) -> None:
        path, url = item
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if url.startswith("file://"):
            shutil.copyfile(url.removeprefix("file://"), place)
            return
        from clearml import StorageManager

        copy = StorageManager.get_local_copy(url, extract_archive=False)
        if copy is None:
            raise ValueError(_missing([url]))
        shutil.copyfile(copy, place)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(fetch, urls.items()))


def add_links(dataset: Any, urls: Mapping[str, str]) -> None:
    """Link files from a ClearML dataset that is being made.

    Raises:
        ValueError: one of them isn't there any more.
    """
    dataset.add_external_files(
        source_url=list(urls.values()),
        dataset_path=[Path(path).parent.as_posix() for path in urls],
        max_workers=_WORKERS,
    )
    known = dataset.link_entries_dict
    if missing := [url for path, url in urls.items() if path not in known]:
        raise ValueError(_missing(missing))


def links_of(dataset: Any) -> dict[str, str]:
    """Give the URLs of a dataset's linked files by path."""
    return {path: str(entry.link) for path, entry in dataset.link_entries_dict.items()}


def check_links(links: Mapping[str, str], folder: Path) -> None:
    """Check that all linked files have come.

    Raises:
        ValueError: some haven't.
    """
    if missing := [url for path, url in links.items() if not (folder / path).is_file()]:
        raise ValueError(_missing(missing))


def _missing(urls: list[str]) -> str:
    return (
        f"{len(urls)} linked files can't be fetched, {urls[0]} among them: are they still there, "
        f"and has this machine the credentials?"
    )


def take_links(folder: Path, links: Mapping[str, str], home: Path) -> dict[str, str]:
    """Take files out of a folder that are the same as linked ones: they can be linked again.

    Args:
        folder: of a new dataset; linked files leave it.
        links: URLs by path of the dataset that it was made from.
        home: where that dataset lies.

    Returns:
        URLs by path in the new dataset.
    """
    by_size: dict[int, list[tuple[Path, str]]] = {}
    for path, url in links.items():
        by_size.setdefault((home / path).stat().st_size, []).append((home / path, url))
    found: dict[str, str] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        for other, url in by_size.get(file.stat().st_size, []):
            # ClearML calls a linked file as it is called at its place.
            if url.rsplit("/", 1)[-1] == file.name and _same(file, other):
                found[file.relative_to(folder).as_posix()] = url
                file.unlink()
                break
    return found


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or one.read_bytes() == other.read_bytes()
