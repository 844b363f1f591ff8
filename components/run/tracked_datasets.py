"""Dataset versions on a ClearML server: found by any of their names, saved once each."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED

from components.run.api import ServerError, call, find_project
from components.run.door import DatasetCopy, DatasetRef
from components.run.links import add_links, check_links, links_of
from components.run.records import plain
from components.run.references import (
    DatasetReference,
    is_id,
    next_version,
    not_found,
    on_disk,
    version_key,
)
from components.run.trees import file_hashes, hash_of
from models.reporting import Image

FINISHED = ("completed", "published", "closed")
_CONTENT = "content:"
_WORKERS = 16
_FIELDS = ["id", "name", "status", "tags", "runtime", "project", "system_tags"]


def fetch_dataset(reference: str, project: str, alias: str = "dataset") -> DatasetCopy:
    """Download a dataset version, or take a folder on this disk.

    Raises:
        ValueError: there is none, or it was never finished.
    """
    folder = on_disk(reference)
    if folder is not None:
        folder = folder.resolve()
        return DatasetCopy(folder, str(folder), folder.name, "")
    entry = _by_id(reference) if is_id(reference) else _by_name(reference, project)
    from clearml import Dataset

    # The alias makes ClearML record the version that was used under `Datasets/`.
    found = Dataset.get(dataset_id=entry["id"], alias=alias)
    links = links_of(found)
    with _alone(found):
        home = Path(found.get_local_copy(max_workers=_WORKERS))
        if not _whole(found, home):
            # A kill in the middle of unpacking leaves a folder that the SDK takes for a whole one.
            shutil.rmtree(home, ignore_errors=True)
            home = Path(found.get_local_copy(max_workers=_WORKERS))
            if not _whole(found, home):
                check_links(links, home)
                raise RuntimeError(f"dataset {entry['id']}: its files can't be downloaded whole")
    return DatasetCopy(home, entry["id"], entry["name"], _version(entry), links)


@contextmanager
def _alone(dataset: Any) -> Iterator[None]:
    """Keep other processes of this machine from fetching a version, or one it stands on.

    Two agents share a cache. What one of them has half unpacked the SDK takes for damaged in the
    other, and deletes it.
    """
    from clearml.config import get_cache_dir

    # Not among the cached datasets, which the SDK counts and throws out.
    room = Path(str(get_cache_dir())) / "sightline-locks"
    room.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        # In one order for all, so that no two wait for each other.
        for version in sorted({dataset.id, *dataset.get_dependency_graph()}):
            file = held.enter_context((room / f"{version}.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_dataset(reference: str, project: str) -> str:
    """Find a dataset version and return its id, or the path of a folder on this disk.

    Raises:
        ValueError: there is none, or it was never finished.
    """
    folder = on_disk(reference)
    if folder is not None:
        return str(folder.resolve())
    entry = _by_id(reference) if is_id(reference) else _by_name(reference, project)
    return str(entry["id"])


def _whole(dataset: Any, folder: Path) -> bool:
    sizes = {entry.relative_path: entry.size for entry in dataset.file_entries}
    if not all((folder / path).is_file() for path in links_of(dataset)):
        return False
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in sizes.items()
    )


def _version(entry: Mapping[str, Any]) -> str:
    return str((entry.get("runtime") or {}).get("version") or "")


def _by_id(dataset: str) -> dict[str, Any]:
    tasks = call("tasks.get_all", id=[dataset], only_fields=_FIELDS, search_hidden=True)["tasks"]
    if not tasks:
        raise ValueError(f"no dataset with the id {dataset} on this server")
    entry: dict[str, Any] = tasks[0]
    if "dataset" not in (entry.get("system_tags") or []):
        raise ValueError(f"{dataset} is the id of the task '{entry['name']}', not of a dataset")
    if entry["status"] not in FINISHED:
        raise ValueError(f"dataset {dataset} was never finished (it is {entry['status']})")
    return entry


def _by_name(reference: str, project: str) -> dict[str, Any]:
    wanted = DatasetReference.parse(reference)
    home = wanted.project or project
    if wanted.project is None and wanted.name not in _names_in(project):
        home = _only_project(wanted.name) or project
    versions = [v for v in _versions(home, wanted.name) if v["status"] in FINISHED]
    if not versions:
        raise not_found("dataset", f"{home}/{wanted.name}", _names())
    if wanted.version is None:
        return max(versions, key=lambda entry: version_key(_version(entry)))
    for entry in versions:
        if _version(entry) == wanted.version:
            return entry
    raise not_found("dataset", reference, [f"{home}/{wanted.name}@{_version(v)}" for v in versions])


def _versions(project: str, name: str) -> list[dict[str, Any]]:
    # Where the SDK keeps the versions of a dataset.
    home = find_project(f"{project}/.datasets/{name}")
    if home is None:
        return []
    tasks: list[dict[str, Any]] = call(
        "tasks.get_all",
        project=[home],
        system_tags=["dataset", "-archived"],
        order_by=["created"],
        only_fields=_FIELDS,
        search_hidden=True,
        page=0,
        page_size=500,
    )["tasks"]
    return tasks


def _names_in(project: str) -> list[str]:
    return [n.rpartition("/")[2] for n in _names() if n.rpartition("/")[0] == project]


def _only_project(name: str) -> str | None:
    """Find the one project that has a dataset of this name.

    Raises:
        ValueError: several have.
    """
    homes = [full.rpartition("/")[0] for full in _names() if full.rpartition("/")[2] == name]
    if len(homes) > 1:
        choices = " or ".join(f"{home}/{name}" for home in homes)
        raise ValueError(f"several datasets are called '{name}': say {choices}")
    return homes[0] if homes else None


def _names() -> list[str]:
    projects = call(
        "projects.get_all",
        name=r"/\.datasets/",
        only_fields=["name"],
        search_hidden=True,
        page=0,
        page_size=500,
    )["projects"]
    return sorted(project["name"].replace("/.datasets/", "/") for project in projects)


def save_dataset(
    task: Any,
    folder: Path,
    *,
    project: str,
    name: str,
    version: str | None,
    parents: Sequence[str],
    tags: Sequence[str],
    previews: Sequence[tuple[str, Image]],
    statistics: Mapping[str, Any] | None,
    once: str,
    increment: bool,
    links: Mapping[str, str],
) -> DatasetRef:
    """Save a folder as a dataset version, unless this task has done so before it was killed.

    Args:
        task: the task that made it.
        folder: its files.
        project: where it is listed.
        name: of the dataset.
        version: the next free one unless given.
        parents: ids of the versions it was made from. They are recorded, not inherited from:
            ClearML would make every reader download the parents' archives too.
        tags: for people and for queries.
        previews: named pictures.
        statistics: figures, shown as a table and kept as metadata.
        once: tag that names the task and its options.
        increment: store only what differs from the dataset's latest version, where at least half
            stays the same; readers then fetch that version too.
        links: URLs by path of files that stay where they are.
    """
    from clearml import Dataset

    hashes = file_hashes(folder)
    content = _CONTENT + hash_of({**hashes, **links})[:32]
    known = _versions(project, name)
    for entry in known:
        if once not in (entry.get("tags") or []):
            continue
        if entry["status"] in FINISHED:
            if content in entry["tags"]:
                return DatasetRef(entry["id"], project, name, _version(entry))
        else:
            _delete(entry["id"])
    taken = [_version(entry) for entry in known if _version(entry)]
    if version is not None and version in taken:
        raise ValueError(
            f"dataset {project}/{name} has a version {version} already; "
            f"leave the version out to get {next_version(taken)}"
        )
    base = _base(known, folder, hashes) if increment and not links else None
    made = Dataset.create(
        parent_datasets=[base] if base else None,
        dataset_project=project,
        dataset_name=name,
        dataset_version=version or next_version(taken),
        dataset_tags=[*tags, f"task:{task.id}", once, content],
        output_uri=task.output_uri or None,
        description=f"Made by task {task.id}" + "".join(f", from dataset {p}" for p in parents),
    )
    if base:
        made.sync_folder(str(folder), verbose=False)
    else:
        made.add_files(str(folder), verbose=False)
    if links:
        add_links(made, links)
    _report(made, previews, statistics)
    # Pictures don't get smaller; packing them twice only takes time.
    made.upload(show_progress=False, compression=ZIP_STORED, preview=False)
    made.finalize()
    return DatasetRef(made.id, project, name, str(made.version))


def _base(
    known: Sequence[Mapping[str, Any]], folder: Path, hashes: Mapping[str, str]
) -> str | None:
    """Choose the version to build on: the latest, if it holds half of the bytes already.

    A reader fetches all that the older version has. With less in common, that would cost it more
    than storing everything anew costs us.
    """
    from clearml import Dataset

    finished = [entry for entry in known if entry["status"] in FINISHED]
    if not finished or not hashes:
        return None
    latest = max(finished, key=lambda entry: version_key(_version(entry)))
    there = {
        entry.relative_path: entry
        for entry in Dataset.get(dataset_id=latest["id"], silence_alias_warnings=True).file_entries
    }
    held = sum(int(entry.size or 0) for entry in there.values())
    shared = total = 0
    for name, one in hashes.items():
        size = (folder / name).stat().st_size
        total += size
        if name in there and there[name].hash == one:
            shared += size
    return str(latest["id"]) if 2 * shared >= max(total, held) else None


def _delete(dataset: str) -> None:
    """Remove a version that a killed attempt has left unfinished."""
    try:
        call("tasks.delete", task=dataset, force=True)
    except ServerError as error:
        if error.code != 400:
            raise


def _report(
    dataset: Any, previews: Sequence[tuple[str, Image]], statistics: Mapping[str, Any] | None
) -> None:
    logger = dataset.get_logger()
    for number, (label, image) in enumerate(previews):
        logger.report_image("Previews", f"{number:02d} {label}", iteration=0, image=image)
    facts = json.loads(json.dumps(statistics or {}, default=plain))
    rows = [[key, value] for key, value in facts.items() if not isinstance(value, dict | list)]
    if rows:
        logger.report_table("Statistics", "Figures", 0, table_plot=[["name", "value"], *rows])
    for title, table in facts.items():
        counts = isinstance(table, dict) and all(isinstance(v, int | float) for v in table.values())
        if counts and table:
            logger.report_histogram(
                "Statistics", title, values=list(table.values()), xlabels=list(table), iteration=0
            )
