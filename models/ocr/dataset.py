"""A split of a prepared dataset folder as a torch dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from models.data.reading import read_picture
from models.ocr.alphabet import Alphabet
from models.ocr.augmentation import Augmentation
from models.ocr.data.reading import Lines
from models.preprocessing import Preprocessing
from models.reporting import Image
from models.training.order import Key
from models.training.picture_cache import PictureCache


@dataclass(frozen=True)
class Changes:
    """What happens to the pictures of a training split, and when."""

    augmentation: Augmentation
    seed: int = 0
    """Of all random changes."""
    until: int | None = None
    """First epoch without them."""


class Pictures(Dataset[dict[str, Any]]):
    """Pictures of one split at the network's input size, with their texts as class indices.

    A training split is asked with a `Key` and augments; a validation split is asked with an index
    and doesn't.
    """

    def __init__(
        self,
        lines: Lines,
        alphabet: Alphabet,
        preprocessing: Preprocessing,
        cache: PictureCache,
        changes: Changes | None = None,
    ) -> None:
        """Describe the split; nothing is read yet.

        Args:
            lines: the split.
            alphabet: knows all characters of its texts.
            preprocessing: brings a picture to the input size.
            cache: where pictures are kept once resized.
            changes: random changes, for a training split.

        Raises:
            ValueError: the cache has no room where it should have.
        """
        self.lines = lines
        self._alphabet = alphabet
        self._preprocessing = preprocessing
        self._changes = changes
        sizes = np.array(lines.sizes, np.int64).reshape(-1, 2)
        scaled = [preprocessing.scaled_size(height, width) for height, width in sizes.tolist()]
        self._shelf = cache.shelf(np.array(scaled, np.int64).reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, key: Key | int) -> dict[str, Any]:
        index = key if isinstance(key, int) else key.picture
        height, width = self.lines.sizes[index]
        image = self._preprocessing.padded(self._scaled(index), height, width)
        if isinstance(key, Key) and self._changes is not None:
            image = self._changed(image, key, self._changes)
        return {
            "index": index,
            "image": image,
            "target": self._alphabet.encode(self.lines.texts[index]),
        }

    def _changed(self, image: Image, key: Key, changes: Changes) -> Image:
        if changes.until is not None and key.epoch >= changes.until:
            return image
        rng = np.random.default_rng(key.seed(changes.seed))
        return changes.augmentation(image, rng)

    def _scaled(self, index: int) -> Image:
        found = self._shelf.get(index)
        if found is None:
            found = self._preprocessing.scaled(read_line(self.lines, index))
            self._shelf.keep(index, found)
        return found


def read_line(lines: Lines, index: int) -> Image:
    """Decode a picture of a split.

    Raises:
        ValueError: it can't be read, or has another size than its label says.
    """
    file: Path = lines.folder / lines.files[index]
    image = read_picture(file)
    if image.shape[:2] != tuple(lines.sizes[index]):
        tall, wide = lines.sizes[index]
        raise ValueError(
            f"picture {file} has {image.shape[1]}x{image.shape[0]} pixels, its label says "
            f"{wide}x{tall}; run prepare on its dataset again"
        )
    return image


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a batch.

    Returns:
        `images`: uint8 [B, H, W, 3]; `targets`: int64 [sum of lengths], the texts end to end;
        `lengths`: int64 [B]; `indices`: of the pictures in their split.
    """
    targets = [sample["target"] for sample in samples]
    return {
        "images": torch.from_numpy(np.stack([sample["image"] for sample in samples])),
        "targets": torch.from_numpy(np.concatenate(targets)),
        "lengths": torch.tensor([len(target) for target in targets], dtype=torch.int64),
        "indices": [sample["index"] for sample in samples],
    }
