"""What a run gives to a stage, whatever keeps its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from models.reporting import Image, Reporter
from models.training.nodes import Node


class SupersededError(Exception):
    """Another attempt has taken over this task: this one must end without writing anything."""


class FurtherNodeEnd(Exception):  # noqa: N818 - no error: the way out of a stage without a result
    """A further node of a training is done; the first one keeps the result."""


@dataclass(frozen=True)
class DatasetRef:
    """A saved dataset version."""

    id: str
    """What a later stage takes as its `dataset` option."""
    project: str
    name: str
    version: str


@dataclass(frozen=True)
class DatasetCopy:
    """A dataset version that lies on this disk. Nobody may write to its folder."""

    folder: Path
    id: str
    """Id of the version; the path itself for a folder that is no saved version."""
    name: str
    version: str
    """Empty for a folder that is no saved version."""
    links: Mapping[str, str] = field(default_factory=dict)
    """URLs, by path, of files that the version only links; they lie in `folder` like the others."""


@dataclass(frozen=True)
class ModelRef:
    """A saved model package."""

    id: str
    """What a later stage takes as its `model` option."""
    url: str


@dataclass(frozen=True)
class ModelCopy:
    """A model package that lies on this disk, unpacked. Nobody may write to its folder."""

    folder: Path
    id: str


@dataclass(frozen=True)
class Champion:
    """The model that holds a name's title."""

    id: str
    benchmark: str = ""
    """Id of the task with its benchmark record; empty if nobody noted one."""


class Run(Reporter, Protocol):
    """Inputs in; scalars, pictures, plots, artifacts, datasets and models out.

    A run may be killed at any moment and started again with the same outputs in the end, once
    each: `save_dataset` and `save_model` return what an earlier attempt has finished.
    """

    @property
    def folder(self) -> Path:
        """Scratch folder of this run; not kept for others to find."""

    @property
    def id(self) -> str:
        """Id of the task; the folder's path when there is none."""

    @property
    def commit(self) -> str:
        """Git commit of the running code; empty when unknown."""

    @property
    def project(self) -> str:
        """Project of the run, where its datasets and models go unless told otherwise."""

    def dataset(self, reference: str, keep: bool = True) -> DatasetCopy:
        """Fetch a dataset version.

        Args:
            reference: an id, `project/name`, `project/name@version`, `project/name@latest`,
                a name alone, or a folder on this disk.
            keep: leave the local copy in the cache after the run.

        Raises:
            ValueError: there is no such dataset.
        """

    def model(self, reference: str) -> ModelCopy:
        """Fetch a model package by id, by name, or from a folder or zip on this disk.

        Raises:
            ValueError: there is no such model.
        """

    def published_model(self, name: str) -> ModelCopy | None:
        """Fetch the champion of a name in the run's project, or else the last published package.

        None if there is none, or its files are gone.
        """

    def champion(self, name: str, project: str | None = None) -> Champion | None:
        """Find the champion of a name; a local folder has none.

        Args:
            name: of the model.
            project: of the model registry; the run's own unless given.
        """

    def promote(self, model: ModelRef, why: str) -> None:
        """Make a published model the champion of its name.

        Args:
            model: to promote.
            why: for people, kept with the model.
        """

    def explain(self, model: ModelRef, why: str) -> None:
        """Keep with a published model why it wasn't promoted."""

    def save_dataset(
        self,
        folder: Path,
        *,
        project: str,
        name: str,
        version: str | None = None,
        parents: Sequence[str] = (),
        tags: Sequence[str] = (),
        previews: Sequence[tuple[str, Image]] = (),
        statistics: Mapping[str, Any] | None = None,
        increment: bool = True,
        links: Mapping[str, str] | None = None,
    ) -> DatasetRef:
        """Save a folder as a dataset version; without `version` the next free one.

        Args:
            folder: its files.
            project: where it is listed.
            name: of the dataset.
            version: the next free one unless given.
            parents: ids of the versions it was made from.
            tags: for people and for queries.
            previews: named pictures.
            statistics: figures, shown as a table and kept as metadata.
            increment: only what differs from the dataset's latest version takes up room.
            links: URLs, by path in the dataset, of files that stay where they are.
        """

    def save_model(
        self,
        folder: Path,
        *,
        name: str,
        tags: Sequence[str] = (),
        labels: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
        comment: str = "",
        project: str | None = None,
        publish: bool = False,
    ) -> ModelRef:
        """Save a model package folder.

        Args:
            folder: the package.
            name: also what makes a second save of the same run the same model.
            tags: for people and for queries.
            labels: class index by class name.
            metadata: figures and facts shown beside the model.
            comment: markdown for people, such as a model card.
            project: where the model is listed; the run's project unless given.
            publish: make it read-only and final.
        """

    def result_of(self, reference: str) -> dict[str, Any]:
        """Read the result of another run, by its task id or its folder.

        Raises:
            ValueError: there is no such run, or it has no result.
        """

    def artifact_of(self, reference: str, name: str) -> Path:
        """Fetch a file that another run has kept with `artifact`.

        Args:
            reference: the other run's task id or its folder.
            name: of the artifact.

        Raises:
            ValueError: there is no such run, or it has no such artifact.
        """

    def page(self) -> str:
        """Where people look at this run: a URL or a folder."""

    def artifact(self, name: str, content: Any) -> str:
        """Keep a file, a folder (`Path`) or JSON-able content; returns its URL or path."""

    def checkpoint(self) -> Path | None:
        """Fetch the newest whole checkpoint that an earlier attempt of this run has saved."""

    def save_checkpoint(self, path: Path) -> None:
        """Keep a checkpoint file where the next attempt finds it; may skip some when frequent.

        Raises:
            SupersededError: another attempt runs this task now.
        """

    def stop_requested(self) -> bool:
        """Tell whether someone asked the run to end early and keep what it has.

        From the first call on, a Ctrl-C is such a request; a second Ctrl-C ends at once.
        """

    def nodes(self, count: int) -> AbstractContextManager[Node]:
        """Bring so many agents together for what runs inside, and tell which of them this one is.

        Raises:
            ValueError: there is no agent to bring together with others.
        """
