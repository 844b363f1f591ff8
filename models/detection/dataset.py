"""A split of a prepared dataset folder as a torch dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from models.detection.augmentation import Augmentation, Boxes, Classes
from models.preprocessing import Preprocessing
from models.reporting import Image
from models.training.order import Key, random_seed

_Rows = tuple[list[list[float]], list[int]]
"""Boxes as COCO writes them, and class indices, of one picture."""


@dataclass(frozen=True)
class Labels:
    """Pictures of one split and what is on them."""

    folder: Path
    classes: tuple[str, ...]
    files: tuple[str, ...]
    """Relative to `folder`."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each picture, pixels."""
    boxes: tuple[Boxes, ...]
    """xyxy, pixels of the original picture."""
    labels: tuple[Classes, ...]
    """Class index of each box."""
    crowd_boxes: tuple[Boxes, ...]
    """Regions of uncounted objects (COCO's `iscrowd`), xyxy: nothing learns from them, and metrics
    neither ask for them nor count what is found in them as false."""
    crowd_labels: tuple[Classes, ...]
    """Class index of each region."""

    def __len__(self) -> int:
        return len(self.files)


def read_categories(dataset: Path) -> list[tuple[str, int]]:
    """Read name and category id of each class of a prepared dataset folder, by class index."""
    description = _description(dataset)
    return list(zip(description["classes"], description["category_ids"], strict=True))


def read_labels(dataset: Path, split: str) -> Labels:
    """Read one split of a prepared dataset folder.

    Args:
        dataset: folder with `dataset.json`.
        split: train, val or test.

    Raises:
        ValueError: there is no such dataset or split.
    """
    description = _description(dataset)
    file = dataset / split / "labels.json"
    if not file.is_file():
        have = sorted(path.parent.name for path in dataset.glob("*/labels.json"))
        raise ValueError(f"{dataset} has no split '{split}'; it has: {', '.join(have) or 'none'}")
    coco = json.loads(file.read_text(encoding="utf-8"))
    index_of = {identity: index for index, identity in enumerate(description["category_ids"])}
    plain: dict[int, _Rows] = {image["id"]: ([], []) for image in coco["images"]}
    crowd: dict[int, _Rows] = {image["id"]: ([], []) for image in coco["images"]}
    for annotation in coco["annotations"]:
        corners, classes = (crowd if annotation.get("iscrowd") else plain)[annotation["image_id"]]
        corners.append(annotation["bbox"])
        classes.append(index_of[annotation["category_id"]])
    images = sorted(coco["images"], key=lambda image: str(image["file_name"]))
    boxes, labels = _arrays(plain[image["id"]] for image in images)
    crowd_boxes, crowd_labels = _arrays(crowd[image["id"]] for image in images)
    return Labels(
        folder=dataset / split / "data",
        classes=tuple(description["classes"]),
        files=tuple(image["file_name"] for image in images),
        sizes=tuple((image["height"], image["width"]) for image in images),
        boxes=boxes,
        labels=labels,
        crowd_boxes=crowd_boxes,
        crowd_labels=crowd_labels,
    )


def _arrays(found: Iterable[_Rows]) -> tuple[tuple[Boxes, ...], tuple[Classes, ...]]:
    """Make arrays, xyxy, of the boxes and classes of each picture."""
    boxes, labels = [], []
    for rows, classes in found:
        corners = np.array(rows, np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        boxes.append(corners)
        labels.append(np.array(classes, np.int64))
    return tuple(boxes), tuple(labels)


def read_picture(file: Path) -> Image:
    """Decode a picture as RGB, its EXIF rotation applied.

    Raises:
        ValueError: the file is no picture.
    """
    import cv2

    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise ValueError(f"picture {file} cannot be read: {error.strerror}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    if image is None:
        raise ValueError(f"picture {file} cannot be decoded; run prepare on its dataset again")
    return np.asarray(image, np.uint8)


class PictureCache:
    """Resized pictures kept in memory, up to a budget that several splits share."""

    def __init__(self, megabytes: int) -> None:
        self._left = megabytes * 2**20
        self._kept: dict[Path, Image] = {}

    def get(self, file: Path) -> Image | None:
        """Return the picture if it was kept."""
        return self._kept.get(file)

    def keep(self, file: Path, image: Image) -> None:
        """Keep a picture if there is room."""
        if image.nbytes <= self._left:
            self._left -= image.nbytes
            self._kept[file] = image


class Pictures(Dataset[dict[str, Any]]):
    """Pictures of one split at the network's input size.

    A training split is asked with keys (epoch, index) and augments; a validation split is asked
    with an index and doesn't.
    """

    def __init__(
        self,
        labels: Labels,
        preprocessing: Preprocessing,
        cache: PictureCache,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        light_from: int | None = None,
    ) -> None:
        """Describe the split; nothing is read yet.

        Args:
            labels: the split.
            preprocessing: brings a picture to the input size.
            cache: where pictures are kept once resized.
            augmentation: random changes, for a training split.
            seed: of the random changes.
            light_from: first epoch with only flips and turns.
        """
        self.labels = labels
        self._preprocessing = preprocessing
        self._cache = cache
        self._augmentation = augmentation
        self._seed = seed
        self._light_from = light_from

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: Key | int) -> dict[str, Any]:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        image = self._resized(self.labels.folder / self.labels.files[index])
        placement = self._preprocessing.placement(*self.labels.sizes[index])
        boxes = placement.to_input(self.labels.boxes[index])
        classes = self.labels.labels[index]
        if self._augmentation is not None:
            seed = random_seed(self._seed, epoch, index)
            light = self._light_from is not None and epoch >= self._light_from
            image, boxes, classes = self._augmentation(image, boxes, classes, seed, light)
        return {"index": index, "image": image, "boxes": boxes, "classes": classes}

    def _resized(self, file: Path) -> Image:
        found = self._cache.get(file)
        if found is None:
            found, _ = self._preprocessing.resize(read_picture(file))
            self._cache.keep(file, found)
        return found


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


def _description(dataset: Path) -> dict[str, Any]:
    file = dataset / "dataset.json"
    if not file.is_file():
        raise ValueError(f"{dataset} is no prepared dataset: it has no dataset.json; run prepare")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
