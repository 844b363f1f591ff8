"""A split of a prepared dataset folder as a torch dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from models.classification.augmentation import Augmentation
from models.classification.labels import Labels
from models.data.reading import read_picture
from models.preprocessing import Preprocessing
from models.reporting import Image
from models.training.order import Key
from models.training.picture_cache import PictureCache


@dataclass(frozen=True)
class Changes:
    """What happens to the pictures of a training split, and when."""

    augmentation: Augmentation
    seed: int = 0
    light_from: int | None = None
    """First epoch with only flips and turns."""

    def __call__(self, image: Image, key: Key) -> Image:
        """Change a picture: a function of seed, epoch, picture and turn."""
        rng = np.random.default_rng(key.seed(self.seed))
        light = self.light_from is not None and key.epoch >= self.light_from
        return self.augmentation(image, rng, light=light)


class Pictures(Dataset[dict[str, Any]]):
    """Pictures of one split at the network's input size.

    A training split is asked with a `Key` and augments; a validation split is asked with an index
    and doesn't.
    """

    def __init__(
        self,
        labels: Labels,
        preprocessing: Preprocessing,
        cache: PictureCache,
        changes: Changes | None = None,
    ) -> None:
        """Describe the split; nothing is read yet.

        Args:
            labels: the split.
            preprocessing: brings a picture to the input size.
            cache: where pictures are kept once they have it.
            changes: random changes, for a training split.
        """
        self.labels = labels
        self._preprocessing = preprocessing
        self._changes = changes
        size = preprocessing.height, preprocessing.width
        self._shelf = cache.shelf(np.tile(np.array(size, np.int64), (len(labels), 1)))
        self._truth = labels.truth.astype(np.float32)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: Key | int) -> dict[str, Any]:
        index = key if isinstance(key, int) else key.picture
        image = self.picture(index)
        if not isinstance(key, int) and self._changes is not None:
            image = self._changes(image, key)
        return {"index": index, "image": image, "target": self._truth[index]}

    def picture(self, index: int) -> Image:
        """Give a picture as the network's input, to be read only."""
        found = self._shelf.get(index)
        if found is None:
            image = read_picture(self.labels.folder / self.labels.files[index])
            inputs, _ = self._preprocessing([image])
            found = inputs[0]
            self._shelf.keep(index, found)
        return found


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a batch.

    Returns:
        `images`: uint8 [B, H, W, 3]; `targets`: float32 [B, classes], 0 or 1; `indices`: of the
        pictures in their split.
    """
    return {
        "images": torch.from_numpy(np.stack([sample["image"] for sample in samples])),
        "targets": torch.from_numpy(np.stack([sample["target"] for sample in samples])),
        "indices": [sample["index"] for sample in samples],
    }
