"""The pictures from which ranges of values are taken: of the training split and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.families import Family, Validation
from models.package import ModelCard

SPLIT = "train"


class Calibration:
    """Training pictures as the network's inputs, made anew each time one is asked for."""

    def __init__(
        self, kind: Family, card: ModelCard, dataset: Path, count: int, seed: int = 0
    ) -> None:
        """Choose.

        Args:
            kind: the model's family.
            card: of the model; has the preprocessing.
            dataset: prepared dataset folder.
            count: pictures wanted, fewer if the split has fewer.
            seed: of the choice.

        Raises:
            ValueError: no training split, or other classes.
        """
        self._pictures: Validation = kind.validation(card, dataset, SPLIT, 2**31)
        self._preprocessing = card.preprocessing
        order = np.random.default_rng(seed).permutation(len(self._pictures))
        self.indices: list[int] = np.sort(order[:count]).tolist()
        """Of the chosen pictures in their split."""

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return map(self.input, self.indices)

    def input(self, index: int) -> NDArray[np.uint8]:
        """Make a picture of the split the network's input, uint8 (1, height, width, 3)."""
        return self._preprocessing([self._pictures.picture(index)])[0]
