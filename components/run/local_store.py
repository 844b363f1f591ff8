"""Datasets and models of a local folder: named and versioned like ClearML's, but plain files."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.run.door import DatasetCopy, DatasetRef, ModelCopy, ModelRef
from components.run.records import file_name, plain, write_json
from components.run.references import (
    DatasetReference,
    next_version,
    not_found,
    on_disk,
    version_key,
)
from components.run.trees import same_tree, unpacked

_FACTS = ".sightline.json"


class LocalStore:
    """The folders `datasets` and `models` below a root."""

    def __init__(self, root: Path, project: str) -> None:
        self._datasets = root / "datasets"
        self._models = root / "models"
        self._project = project

    def dataset(self, reference: str) -> DatasetCopy:
        """Find a dataset by its folder, or by project, name and version."""
        folder = on_disk(reference)
        if folder is not None and folder.is_dir():
            name, version = folder.resolve().name, ""
            if (folder / _FACTS).is_file():  # a version in this folder or in another run's
                name, version = folder.resolve().parent.name, name
            return DatasetCopy(folder.resolve(), str(folder.resolve()), name, version)
        wanted = DatasetReference.parse(reference)
        known = self._names()
        home = next(
            (
                self._datasets / project / name
                for project, name in known
                if name == file_name(wanted.name)
                and project == file_name(wanted.project or self._project)
            ),
            None,
        )
        if home is None:
            home = next(
                (
                    self._datasets / p / n
                    for p, n in known
                    if n == wanted.name and not wanted.project
                ),
                None,
            )
        if home is None:
            raise not_found("dataset", reference, [f"{p}/{n}" for p, n in known])
        versions = _versions(home)
        version = wanted.version or (versions[-1] if versions else "")
        if version not in versions:
            raise not_found("dataset", reference, [f"{home.name}@{v}" for v in versions])
        found = home / version
        return DatasetCopy(found, str(found), home.name, version)

    def _names(self) -> list[tuple[str, str]]:
        homes = self._datasets.glob("*/*") if self._datasets.is_dir() else []
        return sorted((home.parent.name, home.name) for home in homes if _versions(home))

    def save_dataset(
        self,
        folder: Path,
        project: str,
        name: str,
        version: str | None,
        facts: Mapping[str, Any],
        *,
        increment: bool = True,
    ) -> DatasetRef:
        """Copy a folder in as a version; the newest version with the same content is reused.

        With `increment`, files that the newest version holds already are hard links to its.
        """
        home = self._datasets / file_name(project) / file_name(name)
        home.mkdir(parents=True, exist_ok=True)
        versions = _versions(home)
        if version is None and versions and same_tree(home / versions[-1], folder, {_FACTS}):
            version = versions[-1]
        elif version is None:
            version = next_version(versions)
        target = home / version
        if not (target.is_dir() and same_tree(target, folder, {_FACTS})):
            base = home / versions[-1] if increment and versions else None
            _replace(folder, target, base)
            write_json(json.loads(json.dumps(dict(facts), default=plain)), target / _FACTS)
        return DatasetRef(str(target), project, name, version)

    def model(self, reference: str, scratch: Path) -> ModelCopy:
        """Find a model package by path or name; a zip is unpacked below `scratch`."""
        path = on_disk(reference)
        if path is None and (self._models / file_name(reference)).is_dir():
            path = self._models / file_name(reference)
        if path is None:
            there = self._models.iterdir() if self._models.is_dir() else []
            raise not_found("model", reference, [home.name for home in there])
        return ModelCopy(unpacked(path.resolve(), scratch / "models"), str(path.resolve()))

    def published_model(self, name: str, scratch: Path) -> ModelCopy | None:
        """Find the model package that was published under a name."""
        path = self._models / file_name(name)
        facts = path / _FACTS
        if not facts.is_file() or not json.loads(facts.read_text(encoding="utf-8"))["published"]:
            return None
        return ModelCopy(unpacked(path.resolve(), scratch / "models"), str(path.resolve()))

    def save_model(self, folder: Path, name: str, facts: Mapping[str, Any]) -> ModelRef:
        """Copy a package in under a name."""
        target = self._models / file_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if folder.resolve() != target.resolve():
            _replace(folder, target)
        write_json(json.loads(json.dumps(dict(facts), default=plain)), target / _FACTS)
        return ModelRef(str(target), target.as_uri())


def _versions(home: Path) -> list[str]:
    """The versions of a dataset, rising; a draft that a killed process has left is none."""
    if not home.is_dir():
        return []
    found = (one.name for one in home.iterdir() if one.is_dir() and not one.name.startswith("."))
    return sorted(found, key=version_key)


def _replace(source: Path, target: Path, base: Path | None = None) -> None:
    def put(file: str, there: str) -> None:
        old = base / Path(there).relative_to(draft) if base else None
        if old and old.is_file() and filecmp.cmp(file, old, shallow=False):
            try:
                os.link(old, there)
                return
            except OSError:  # a file system without hard links
                pass
        shutil.copy2(file, there)

    draft = target.with_name(f".{target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, copy_function=put)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
