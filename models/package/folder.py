"""A model package on disk: `model.json` and the files it names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from models.package.card import (
    SCHEMA,
    Artifact,
    Device,
    Format,
    Lineage,
    Metric,
    ModelCard,
    PackageFile,
    Parity,
    Precision,
    Quantization,
    Threshold,
    Training,
)
from models.package.libraries import library_versions

CARD = "model.json"
_CARD_LIMIT = 16 << 20


@dataclass(frozen=True)
class NewArtifact:
    """Files that are to become an artifact of a package."""

    format: Format
    files: Mapping[str, Path]
    """Where each file lies now, by its name in the package; the first is the one to open."""
    precision: Precision = "float32"
    parity: Parity | None = None
    tool: str = ""
    quantization: Quantization | None = None
    batch: int | None = None
    device: Device | None = None

    @property
    def file(self) -> str:
        """The file to open, by its name in the package."""
        return next(iter(self.files))


@dataclass(frozen=True)
class ModelPackage:
    """A model package: what it says about itself, and where its files lie."""

    card: ModelCard
    folder: Path
    """Holds the files; `with_...` changes the card only, until `save`."""
    sources: Mapping[str, Path]
    """Where each file of the card lies, by its name in the package."""

    @classmethod
    def load(cls, folder: Path | str, verify: bool = True) -> ModelPackage:
        """Read a package folder and check that it is whole.

        Args:
            folder: with `model.json`.
            verify: compare the files' SHA-256 too, not only their sizes.

        Raises:
            ValueError: one line saying what is wrong with it.
        """
        folder = Path(folder)
        card = _read_card(folder)
        files = [file for artifact in card.artifacts for file in artifact.files]
        for file in files:
            _check_file(folder, file, verify)
        return cls(card, folder, {file.file: folder / file.file for file in files})

    @classmethod
    def create(
        cls, folder: Path | str, card: ModelCard, artifacts: Sequence[NewArtifact]
    ) -> ModelPackage:
        """Write a new package folder.

        Args:
            folder: to make; may exist if it is empty.
            card: its artifacts and library versions are filled in here.
            artifacts: their files are copied in.

        Raises:
            ValueError: the folder holds something already.
        """
        card = _changed(card, artifacts=(), libraries=library_versions())
        return cls(card, Path(folder), {}).with_artifacts(artifacts).save(folder)

    def with_threshold(self, threshold: Threshold | float) -> ModelPackage:
        """Set the confidence threshold."""
        if not isinstance(threshold, Threshold):
            threshold = Threshold(value=threshold)
        return replace(self, card=_changed(self.card, threshold=threshold))

    def with_postprocessing(self, values: Mapping[str, Any]) -> ModelPackage:
        """Set entries of the postprocessing; what holds it inside its file must be made anew.

        Raises:
            ValueError: a fused form is among the artifacts.
        """
        if not values:
            return self
        if any(one.format == "onnx-fused" for one in self.card.artifacts):
            raise ValueError("a fused form holds the postprocessing as it was: export it anew")
        changed = {**self.card.postprocessing, **values}
        return replace(self, card=_changed(self.card, postprocessing=changed))

    def with_metrics(self, metrics: Sequence[Metric]) -> ModelPackage:
        """Add figures; one of the same name, split and artifact is replaced."""
        new = {(m.name, m.split, m.artifact): m for m in (*self.card.metrics, *metrics)}
        return replace(self, card=_changed(self.card, metrics=tuple(new.values())))

    def with_lineage(self, lineage: Lineage) -> ModelPackage:
        """Say where the model comes from."""
        return replace(self, card=_changed(self.card, lineage=lineage))

    def with_training(self, training: Training) -> ModelPackage:
        """Say how the weights were fitted."""
        return replace(self, card=_changed(self.card, training=training))

    def with_artifacts(self, artifacts: Sequence[NewArtifact]) -> ModelPackage:
        """Add forms of the model; one with the same file to open is replaced, its figures too.

        Raises:
            ValueError: a file is missing, or two artifacts share a file name.
        """
        made = [_artifact(new) for new in artifacts]
        names = {artifact.file for artifact in made}
        kept = [artifact for artifact in self.card.artifacts if artifact.file not in names]
        gone = {artifact.file for artifact in self.card.artifacts} & names
        metrics = tuple(m for m in self.card.metrics if m.artifact not in gone)
        card = _changed(self.card, artifacts=(*kept, *made), metrics=metrics)
        sources = dict(self.sources)
        for new in artifacts:
            sources.update(new.files)
        wanted = sorted(file.file for artifact in card.artifacts for file in artifact.files)
        return replace(self, card=card, sources={name: sources[name] for name in wanted})

    def save(self, folder: Path | str) -> ModelPackage:
        """Write the package.

        Into its own folder only `model.json` is written anew. Another folder must be empty or not
        there yet; it appears whole or not at all.

        Returns:
            The package as it lies in `folder`.

        Raises:
            ValueError: the folder holds something else.
        """
        folder = Path(folder)
        own = {name: folder / name for name in self.sources}
        inside = all(_same(path, own[name]) for name, path in self.sources.items())
        if inside and (folder / CARD).is_file() and _same(folder, self.folder):
            part = folder / f".{CARD}.part"
            _write(part, self.card.text())
            part.replace(folder / CARD)
            return replace(self, folder=folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} is not empty; save the model package into a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
        draft.mkdir()
        try:
            for name, path in self.sources.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, draft / name)
            _write(draft / CARD, self.card.text())
            # On POSIX this also takes the place of an empty folder.
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return ModelPackage(self.card, folder, own)

    def artifact(self, format: Format, precision: Precision | None = None) -> Artifact:  # noqa: A002
        """Find a form of the model.

        Raises:
            ValueError: there is none.
        """
        for artifact in self.card.artifacts:
            if artifact.format == format and precision in (None, artifact.precision):
                return artifact
        have = ", ".join(f"{a.format} {a.precision}" for a in self.card.artifacts) or "none"
        wanted = f"{format} {precision or ''}".strip()
        hint = "" if format == "safetensors" else "; export the model first"
        raise ValueError(f"{self.folder} has no {wanted} artifact, it has: {have}{hint}")

    def path(self, artifact: Artifact) -> Path:
        """Return where the file to open lies."""
        return self.sources[artifact.file]


def _read_card(folder: Path) -> ModelCard:
    file = folder / CARD
    if not file.is_file():
        raise ValueError(f"{folder} is no model package: it has no {CARD}")
    if file.stat().st_size > _CARD_LIMIT:
        raise ValueError(f"{file} is larger than {_CARD_LIMIT >> 20} MiB: that is no model package")
    try:
        text = file.read_text(encoding="utf-8")
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON: {error}") from error
    version = found.get("schema") if isinstance(found, dict) else None
    if version != SCHEMA or isinstance(version, bool):
        raise ValueError(
            f"{file} has schema {json.dumps(version)}, and this Sightline reads schema {SCHEMA}: "
            f"use the Sightline that wrote it, or export the model again"
        )
    try:
        # From JSON, so that strict lets lists be tuples but no text be a number.
        return ModelCard.model_validate_json(text, strict=True, by_name=False, by_alias=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "as a whole"
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{file}: {where}: {message}") from error


def _check_file(folder: Path, file: PackageFile, verify: bool) -> None:
    path = folder / file.file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{folder}: '{file.file}' is a link that leads out of the package")
    if not path.is_file():
        raise ValueError(f"{folder} is not whole: '{file.file}' is missing")
    size = path.stat().st_size
    if size != file.bytes:
        raise ValueError(
            f"{folder}: '{file.file}' has {size} bytes, {CARD} says {file.bytes}: "
            f"the copy is damaged"
        )
    if verify and _sha256(path) != file.sha256:
        raise ValueError(
            f"{folder}: '{file.file}' is not the file that {CARD} names (another SHA-256): "
            f"the copy is damaged"
        )


def _artifact(new: NewArtifact) -> Artifact:
    for name, path in new.files.items():
        if not path.is_file():
            raise ValueError(f"there is no file {path} for '{name}' of the model package")
    files = tuple(
        PackageFile(file=name, bytes=path.stat().st_size, sha256=_sha256(path))
        for name, path in new.files.items()
    )
    return Artifact(
        format=new.format,
        precision=new.precision,
        files=files,
        parity=new.parity,
        tool=new.tool,
        quantization=new.quantization,
        batch=new.batch,
        device=new.device,
    )


def _changed(card: ModelCard, **changes: Any) -> ModelCard:
    """Copy a card with changes, checked anew."""
    values = {name: getattr(card, name) for name in ModelCard.model_fields}
    return ModelCard.model_validate({**values, **changes}, by_name=True, by_alias=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.exists() and one.samefile(other)


def _write(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
