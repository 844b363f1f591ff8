"""The detector as one object: RGB pictures in, detections out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.deployment.network import open_network
from models.detection.detections import Detections
from models.detection.postprocessing.candidates import place
from models.detection.standalone.description import read_description
from models.images import Image

_HERE = Path(__file__).resolve().parent.parent


class Model:
    """A detector ready to predict. Not to be called from two threads at once."""

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
        self._about = read_description(Path(folder) if folder is not None else _HERE)
        self._batch_size = batch_size
        size = (self._about.input.height, self._about.input.width, 3)
        about = self._about
        self._network = open_network(about.file, about.runtime, about.outputs, size, threads)

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

    def __call__(self, images: Sequence[Image], threshold: float | None = None) -> list[Detections]:
        """Predict.

        Args:
            images: RGB, uint8, (height, width, 3), of any sizes.
            threshold: least confidence of a result; None takes the model's own, 0 cuts nothing.

        Returns:
            For each picture, the surest first; boxes are xyxy in its pixels.

        Raises:
            ValueError: an image is none, or the threshold isn't between 0 and 1.
        """
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise ValueError(f"threshold={threshold}: expected a number from 0 to 1")
        about = self._about
        limits = np.array(about.thresholds, np.float32) if threshold is None else threshold
        found: list[Detections] = []
        for start in range(0, len(images), self._batch_size):
            inputs, placements = about.input(images[start : start + self._batch_size])
            candidates = about.candidates(self._network(inputs))
            for one, where in zip(candidates, placements, strict=True):
                detections = place(one, about.input.width, about.input.height, where)
                found.append(detections.above(limits))
        return found
