"""A shipped model as one object: RGB pictures in, the family's results out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.deployment.network import open_network
from models.deployment.standalone.description import Description, read_description, reading
from models.images import Image
from models.placement import Placement

_HERE = Path(__file__).resolve().parent.parent

Tensors = Sequence[NDArray[np.float32]]
"""A network's outputs in the order of `model.json`, batch first."""
Result = TypeVar("Result")


class StandaloneModel(ABC, Generic[Result]):
    """A model ready to predict. Not to be called from two threads at once."""

    family: ClassVar[str]
    """Task family that `model.json` must name."""
    about: ClassVar[str]
    """What it does, in a line for `--help`."""
    columns: ClassVar[Sequence[str]]
    """Keys of `rows`."""

    def __init__(
        self, folder: Path | str | None = None, threads: int | None = None, batch_size: int = 8
    ) -> None:
        """Load the network.

        Args:
            folder: holds `model.json`; None takes the one that this code was shipped with.
            threads: CPU threads; None leaves it to the runtime.
            batch_size: most pictures that go through the network at once.

        Raises:
            ValueError: the folder is damaged, or the runtime isn't installed.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: expected at least 1")
        self._batch_size = batch_size
        self._about = about = self._read(Path(folder) if folder is not None else _HERE)
        size = (about.input.height, about.input.width, 3)
        self._network = open_network(about.file, about.runtime, about.outputs, size, threads)

    @classmethod
    def check(cls, folder: Path) -> None:
        """Read what a folder says, without loading its network.

        Raises:
            ValueError: it is missing, damaged or from another version.
        """
        cls.__new__(cls)._read(folder)

    def _read(self, folder: Path) -> Description:
        about = read_description(folder, self.family)
        with reading(folder):
            self.prepare(about)
        return about

    @property
    def classes(self) -> Sequence[str]:
        """Class names by index."""
        return self._about.classes

    @property
    def category_ids(self) -> Sequence[int | None]:
        """The dataset's category id of each class index; None where it had none."""
        return self._about.ids

    @property
    def threshold(self) -> float:
        """The confidence from which a result counts; classes may have their own."""
        return self._about.threshold

    @property
    def thresholds(self) -> Sequence[float]:
        """The confidence from which a result counts, by class index."""
        return self._about.thresholds

    @property
    def runtime(self) -> str:
        """What runs the network."""
        return self._about.runtime

    def __call__(self, images: Sequence[Image], threshold: float | None = None) -> list[Result]:
        """Predict.

        Args:
            images: RGB, uint8, (height, width, 3), of any sizes.
            threshold: least confidence of a result; None takes the model's own, 0 cuts nothing.

        Returns:
            The result of each picture.

        Raises:
            ValueError: an image is none, or the threshold isn't between 0 and 1.
        """
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise ValueError(f"threshold={threshold}: expected a number from 0 to 1")
        found: list[Result] = []
        for start in range(0, len(images), self._batch_size):
            inputs, placements = self._about.input(images[start : start + self._batch_size])
            found += self.results(self._network(inputs), placements, threshold)
        return found

    @abstractmethod
    def prepare(self, about: Description) -> None:
        """Take what `results` needs from the description.

        Raises:
            KeyError, TypeError, ValueError: the description isn't understood.
        """

    @abstractmethod
    def results(
        self, outputs: Tensors, placements: Sequence[Placement], threshold: float | None
    ) -> list[Result]:
        """Turn output tensors into the result of each picture, cut at a threshold.

        Args:
            outputs: of the network.
            placements: where each picture lies in its input.
            threshold: least confidence; None takes the model's own.
        """

    @abstractmethod
    def rows(self, result: Result) -> list[dict[str, Any]]:
        """Make a JSON-able row of each thing found, with the keys of `columns`."""

    @abstractmethod
    def tally(self, result: Result) -> Mapping[str, int]:
        """Count what a picture shows, by the name that people know it by."""

    @abstractmethod
    def draw(self, image: Image, result: Result) -> Image:
        """Draw a result on a copy of its picture. May import Pillow, here and nowhere else."""
