"""Get raw data, from a folder, an archive, a URL or a synthetic source, as a dataset version.

Run `python -m components.ingest --help` for its options.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from components.options import Options
from components.run import Run
from components.run.links import fetch_files, is_cloud, list_files
from components.run.trees import files_of
from components.stage import Stage, StageOptions, StageResult
from models.families import Family, families, family

SYNTHETIC = "synthetic"


class SplitSource(Options):
    """Where one split's annotations and pictures lie, in the source or on the machine."""

    annotations: str = ""
    """A COCO file (.json), or a folder of YOLO texts or of Pascal VOC's XML files."""
    pictures: str = ""
    """The folder that the pictures' names start from; the source itself unless given."""


class SourceOptions(Options):
    """Where raw data comes from."""

    source: str = SYNTHETIC
    """A folder or an archive on the machine that runs the stage, an http(s) URL of an archive, a
    share link of Google Drive or `gdrive:ID`, `kaggle:OWNER/DATASET` (with a key to Kaggle on that
    machine), public data by name (`bccd`, `barcodes`, `rice-images`), or `synthetic`: the family's
    own source, steered by the options below `synthetic`."""
    link: bool = False
    """Leave the pictures of a folder where they are (a shared disk that all machines see) and link
    them from the dataset. What lies in s3://, gs:// or azure:// is always linked."""
    sha256: str | None = None
    """SHA-256 that the archive must have, in hex; unchecked unless given."""
    fingerprint: str = ""
    """Version of the source's content. It changes nothing in this stage; a pipeline fills it in
    so that a source whose content has changed isn't taken from cache."""
    train: SplitSource = SplitSource()
    """Where the train split lies, for data that no known layout fits."""
    val: SplitSource = SplitSource()
    """Where the val split lies, likewise."""
    test: SplitSource = SplitSource()
    """Where the test split lies, likewise."""


class NewDatasetOptions(Options):
    """The dataset version to make."""

    project: str | None = None
    """ClearML project; the task's own unless given."""
    name: str | None = None
    """Name; the source's name unless given."""
    version: str | None = None
    """Version as 1.2.3; the next free one unless given."""
    increment: bool = True
    """Store only what differs from the dataset's latest version, where half or more of it stays
    the same. Readers then fetch that version too; with false, all files are stored anew."""


class IngestConfig(StageOptions):
    """Options of `ingest`."""

    data: SourceOptions = SourceOptions()
    """Where raw data comes from."""
    dataset: NewDatasetOptions = NewDatasetOptions()
    """The dataset version to make."""


class IngestResult(StageResult):
    """What `ingest` made."""

    dataset: str
    """Id of the raw dataset version."""
    name: str
    version: str
    format: str
    """Annotation format that was recognised."""
    files: int


def _synthetic(found: Family) -> dict[str, type[BaseModel]]:
    return {"synthetic": found.synthetic_options}


def ingest(config: IngestConfig, run: Run) -> IngestResult:
    """Fetch or make raw data, recognise its format and save it as it is.

    Raises:
        ValueError: no such source, or nothing in it that the family can read.
    """
    found = family(config.family)
    facts: dict[str, Any] = {}
    links: dict[str, str] = {}
    if config.data.source == SYNTHETIC:
        raw = run.folder / "raw"
        options: BaseModel = getattr(config, "synthetic", None) or found.synthetic_options()
        facts = dict(found.synthesize(options, raw, run))
    elif config.data.link or is_cloud(config.data.source):
        raw, links = _linked(config, run)
    else:
        from models.data.fetch import fetch

        raw = fetch(config.data.source, _cache(), run, sha256=config.data.sha256)
        if parts := _parts(config.data, raw):
            found.assemble(parts, run.folder / "raw")
            raw = run.folder / "raw"
    annotations = found.recognise(_with_names(raw, links, run))
    if annotations is None:
        raise ValueError(_not_recognised(config, raw))
    raw = _plain_files(raw, run)
    files = len(files_of(raw)) + len(links)
    run.log(f"{config.data.source}: {files} files, annotations as {annotations}")
    saved = run.save_dataset(
        raw,
        project=config.dataset.project or run.project,
        name=config.dataset.name or f"{source_name(config.data.source, config.family)}-raw",
        version=config.dataset.version,
        increment=config.dataset.increment,
        links=links,
        tags=["raw", config.family, annotations],
        statistics={"files": files, "format": annotations, **facts},
    )
    return IngestResult(
        dataset=saved.id, name=saved.name, version=saved.version, format=annotations, files=files
    )


def _plain_files(raw: Path, run: Run) -> Path:
    """Give a folder without symbolic links: the SDK leaves out what lies behind links to folders.

    Returns:
        The folder itself, or one with hard links to the same files.
    """
    inside = (Path(at, name) for at, *names in os.walk(raw) for one in names for name in one)
    if not any(path.is_symlink() for path in inside):
        return raw
    from models.data.writing import link_or_copy

    target = run.folder / "plain"
    for file in files_of(raw):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(raw / file, target / file)
    return target


def _linked(config: IngestConfig, run: Run) -> tuple[Path, dict[str, str]]:
    """Fetch all that isn't a picture; pictures stay where they are."""
    from models.data.pictures import PICTURE_SUFFIXES

    data = config.data
    if data.train.annotations or data.val.annotations or data.test.annotations or data.sha256:
        raise ValueError("data.train, data.val, data.test and data.sha256 don't go with links")
    source = data.source.removeprefix("file://")
    if not is_cloud(source) and not Path(source).expanduser().is_dir():
        raise ValueError(f"data.link: there is no folder '{source}' on this machine")
    every = list_files(source)
    links = {p: url for p, url in every.items() if Path(p).suffix.lower() in PICTURE_SUFFIXES}
    others = {path: url for path, url in every.items() if path not in links}
    run.log(f"{data.source}: {len(links)} pictures to link, {len(others)} other files")
    raw = run.folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    fetch_files(others, raw)
    return raw, links


def _with_names(raw: Path, links: Mapping[str, str], run: Run) -> Path:
    """Make a folder in which linked pictures have their names, for the format to be told by."""
    if not links:
        return raw
    names = run.folder / "names"
    shutil.copytree(raw, names)
    for path in links:
        (names / path).parent.mkdir(parents=True, exist_ok=True)
        (names / path).touch()
    return names


def _parts(data: SourceOptions, root: Path) -> dict[str, tuple[Path, Path]]:
    """Annotations and pictures of the splits that are named one by one."""
    named = {"train": data.train, "val": data.val, "test": data.test}
    for split, one in named.items():
        if one.pictures and not one.annotations:
            raise ValueError(f"data.{split}.pictures needs data.{split}.annotations beside it")
    return {
        split: (root / one.annotations, root / one.pictures)
        for split, one in named.items()
        if one.annotations
    }


def _not_recognised(config: IngestConfig, raw: Path) -> str:
    others = [name for name in families() if name != config.family]
    for name in others:
        if family(name).recognise(raw):
            return f"{config.data.source} is data for {name}: set family={name}"
    return (
        f"{config.data.source}: found nothing there that {config.family} can read; "
        "the README lists the formats and how their folders look"
    )


def source_name(source: str, family_name: str) -> str:
    """Name a source for people: the last part of its path without the suffixes of archives."""
    if source == SYNTHETIC:
        return f"{SYNTHETIC}-{family_name}"
    last = Path(urlsplit(source).path.rstrip("/")).name
    return re.sub(r"(\.(zip|tar|tgz|gz|bz2|xz))+$", "", last, flags=re.IGNORECASE) or "data"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sightline" / "sources"


STAGE = Stage(
    name="ingest",
    title="Get raw data from a folder, an archive, a URL or a synthetic source.",
    function=ingest,
    config=IngestConfig,
    result=IngestResult,
    needs="cpu",
    task_type="data_processing",
    tables=_synthetic,
)

if __name__ == "__main__":
    STAGE.main()
