"""A split of a prepared dataset folder as a torch dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from models.data.reading import read_picture as read_picture
from models.detection.augmentation import Augmentation
from models.detection.labels import Labels as Labels
from models.detection.labels import read_categories as read_categories
from models.detection.labels import read_labels as read_labels
from models.detection.options import SIZE_STEP
from models.detection.scene import Scene
from models.preprocessing import Preprocessing
from models.reporting import Image
from models.training.order import Key, random_seed
from models.training.picture_cache import PictureCache


@dataclass(frozen=True)
class Changes:
    """What happens to the pictures of a training split, and when."""

    augmentation: Augmentation
    seed: int = 0
    """Of all random changes."""
    multiscale: float = 0.0
    """Largest deviation of a batch's size from the input size, as a share."""
    combine_until: int | None = None
    """First epoch without mosaics and mixtures."""
    light_from: int | None = None
    """First epoch with only flips and turns, at the input size."""

    def light(self, epoch: int) -> bool:
        """Whether this epoch has only flips and turns."""
        return self.light_from is not None and epoch >= self.light_from

    def combine(self, epoch: int) -> bool:
        """Whether this epoch may have mosaics and mixtures."""
        return self.combine_until is None or epoch < self.combine_until

    def size(self, key: Key, height: int, width: int) -> tuple[int, int]:
        """Choose the size of a batch's pictures: a function of seed, epoch and batch."""
        reach = int(self.multiscale * min(height, width) / SIZE_STEP)
        if not reach or self.light(key.epoch):
            return height, width
        seed = random_seed(self.seed, key.epoch, key.batch, SIZE_STEP)
        step = int(np.random.default_rng(seed).integers(-reach, reach + 1)) * SIZE_STEP
        return max(SIZE_STEP, height + step), max(SIZE_STEP, width + step)


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
            cache: where pictures are kept once resized.
            changes: random changes, for a training split.

        Raises:
            ValueError: the cache has no room where it should have.
        """
        self.labels = labels
        self.size = preprocessing.height, preprocessing.width
        self._preprocessing = preprocessing
        self._changes = changes
        sizes, which = np.unique(
            np.array(labels.sizes, np.int64).reshape(-1, 2), axis=0, return_inverse=True
        )
        scaled = np.array([preprocessing.scaled_size(*size) for size in sizes.tolist()], np.int64)
        self._shelf = cache.shelf(scaled.reshape(-1, 2)[which])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: Key | int) -> dict[str, Any]:
        if isinstance(key, int) or self._changes is None:
            index = key if isinstance(key, int) else key.picture
            scene = self.placed(index, self.bare(index))
        else:
            index = key.picture
            scene = self._changed(key, self._changes)
        return {
            "index": index,
            "image": scene.image,
            "boxes": scene.boxes,
            "classes": scene.classes,
        }

    def placed(self, index: int, bare: Scene) -> Scene:
        """Make the network's input of a bare picture; it may be written to."""
        height, width = self.labels.sizes[index]
        placement = self._preprocessing.placement(height, width)
        return Scene(
            self._preprocessing.padded(bare.image, height, width),
            placement.to_input(self.labels.boxes[index]),
            bare.classes,
        )

    def bare(self, index: int) -> Scene:
        """Give a picture without the padding of a letterbox, to be read only."""
        placement = self._preprocessing.placement(*self.labels.sizes[index])
        offset = np.array([placement.left, placement.top] * 2, np.float32)
        boxes = placement.to_input(self.labels.boxes[index]) - offset
        return Scene(self._scaled(index), boxes, self.labels.labels[index])

    def offset(self, index: int) -> tuple[int, int]:
        """Say where left and top of the bare picture lie in the input, pixels."""
        placement = self._preprocessing.placement(*self.labels.sizes[index])
        return placement.left, placement.top

    def _changed(self, key: Key, changes: Changes) -> Scene:
        epoch = key.epoch
        rng = np.random.default_rng(key.seed(changes.seed))
        scene = changes.augmentation(
            self, key.picture, rng, light=changes.light(epoch), combine=changes.combine(epoch)
        )
        return _resized(scene, *changes.size(key, *self.size))

    def _scaled(self, index: int) -> Image:
        found = self._shelf.get(index)
        if found is None:
            found = self._preprocessing.scaled(
                read_picture(self.labels.folder / self.labels.files[index])
            )
            self._shelf.keep(index, found)
        return found


def _resized(scene: Scene, height: int, width: int) -> Scene:
    import cv2

    tall, wide = scene.image.shape[:2]
    if (tall, wide) == (height, width):
        return scene
    image = np.asarray(cv2.resize(scene.image, (width, height)), np.uint8)
    factors = np.array([width / wide, height / tall] * 2, np.float32)
    return Scene(image, scene.boxes * factors, scene.classes)


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a batch.

    Returns:
        `images`: uint8 [B, H, W, 3]; `targets`: as the network's loss wants them; `indices`: of
        the pictures in their split.
    """
    targets = []
    for sample in samples:
        height, width = sample["image"].shape[:2]
        corners = sample["boxes"] / np.array([width, height, width, height], np.float32)
        centred = np.concatenate(
            [(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1
        )
        targets.append(
            {
                "class_labels": torch.from_numpy(sample["classes"].astype(np.int64)),
                "boxes": torch.from_numpy(centred.astype(np.float32)),
            }
        )
    return {
        "images": torch.from_numpy(np.stack([sample["image"] for sample in samples])),
        "targets": targets,
        "indices": [sample["index"] for sample in samples],
    }
