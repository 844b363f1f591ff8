"""What is on the pictures of a prepared dataset folder, held compactly."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.json_stream import stream_items
from models.training.compact import Pairs, Rows, Texts

Boxes = NDArray[np.float32]
"""Shape (N, 4), xyxy, pixels."""
Classes = NDArray[np.int64]
"""Shape (N,), class index."""


@dataclass(frozen=True)
class Labels:
    """Pictures of one split and what is on them."""

    folder: Path
    classes: tuple[str, ...]
    files: Sequence[str]
    """Relative to `folder`."""
    sizes: Sequence[tuple[int, int]]
    """Height and width of each picture, pixels."""
    boxes: Sequence[Boxes]
    """xyxy, pixels of the original picture."""
    labels: Sequence[Classes]
    """Class index of each box."""
    crowd_boxes: Sequence[Boxes]
    """Regions of uncounted objects (COCO's `iscrowd`), xyxy: nothing learns from them, and metrics
    neither ask for them nor count what is found in them as false."""
    crowd_labels: Sequence[Classes]
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
    index_of = {identity: index for index, identity in enumerate(description["category_ids"])}
    names: list[str] = []
    images, sizes = array("q"), array("i")
    pictures, labels, crowds, corners = array("q"), array("q"), array("b"), array("f")
    for key, item in stream_items(file):
        if key == "images":
            names.append(item["file_name"])
            images.append(item["id"])
            sizes.extend((item["height"], item["width"]))
        elif key == "annotations":
            pictures.append(item["image_id"])
            labels.append(index_of[item["category_id"]])
            crowds.append(bool(item.get("iscrowd")))
            corners.extend(item["bbox"])
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    # Views of the lists' memory: a copy of each would double what a large split takes.
    identities = np.frombuffer(images, np.int64)[order]
    by_identity = np.argsort(identities, kind="stable")
    places = by_identity[
        np.searchsorted(identities, np.frombuffer(pictures, np.int64), sorter=by_identity)
    ]
    table = np.frombuffer(corners, np.float32).reshape(-1, 4)
    table[:, 2:] += table[:, :2]
    classes = np.frombuffer(labels, np.int64)
    crowd = np.frombuffer(crowds, bool)
    boxes, found = _by_picture(places, table, classes, ~crowd, len(names))
    crowd_boxes, crowd_labels = _by_picture(places, table, classes, crowd, len(names))
    return Labels(
        folder=dataset / split / "data",
        classes=tuple(description["classes"]),
        files=Texts(names[index] for index in order),
        sizes=Pairs(np.frombuffer(sizes, np.int32).reshape(-1, 2)[order]),
        boxes=boxes,
        labels=found,
        crowd_boxes=crowd_boxes,
        crowd_labels=crowd_labels,
    )


def _by_picture(
    places: NDArray[np.int64],
    boxes: Boxes,
    classes: Classes,
    which: NDArray[np.bool_],
    pictures: int,
) -> tuple[Rows, Rows]:
    """Sort the chosen annotations by picture, in file order within each."""
    chosen = np.flatnonzero(which)
    chosen = chosen[np.argsort(places[chosen], kind="stable")]
    counts = np.bincount(places[chosen], minlength=pictures).astype(np.int64)
    return Rows(boxes[chosen], counts), Rows(classes[chosen], counts)


def _description(dataset: Path) -> dict[str, Any]:
    file = dataset / "dataset.json"
    if not file.is_file():
        raise ValueError(f"{dataset} is no prepared dataset: it has no dataset.json; run prepare")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
