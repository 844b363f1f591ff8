"""Random changes to training pictures, each a function of a random generator."""

from __future__ import annotations

import os
import random
import warnings
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator

from models.detection.augmentation_options import AugmentationOptions
from models.detection.colour import recolour
from models.detection.geometry import Geometry
from models.detection.scene import Scene


class Supply(Protocol):
    """Gives the pictures of a training split at the input size."""

    size: tuple[int, int]
    """Height and width of the input."""

    def __len__(self) -> int: ...

    def bare(self, index: int) -> Scene:
        """Give a picture without the padding of a letterbox, to be read only."""

    def offset(self, index: int) -> tuple[int, int]:
        """Say where left and top of the bare picture lie in the input, pixels."""

    def placed(self, index: int, bare: Scene) -> Scene:
        """Make the network's input of a bare picture; it may be written to."""


class Augmentation:
    """Keeps boxes and picture together through all changes.

    Works on pictures of the network's input size, after resizing, so that its cost doesn't grow
    with the size of the originals. Its own changes are made with OpenCV, geometry in one warp and
    colour in one matrix; those of `albumentations` can be added (`augmentation.albumentations`).
    """

    def __init__(self, options: AugmentationOptions, fill: tuple[int, int, int]) -> None:
        """Check the options.

        Args:
            options: what to change and how often.
            fill: colour of what comes in from outside the picture, as in letterboxing.

        Raises:
            ValueError: `albumentations` has no such transform, or not with such arguments.
        """
        import cv2

        cv2.setNumThreads(0)  # loader processes and torch have the cores
        self._options = options
        self._geometry = Geometry(options, fill)
        self._more = _compose(options)

    def __call__(
        self,
        supply: Supply,
        index: int,
        rng: Generator,
        *,
        light: bool = False,
        combine: bool = True,
    ) -> Scene:
        """Make a training picture.

        Args:
            supply: where pictures come from.
            index: of the picture.
            rng: the same state makes the same choices.
            light: only flips and turns.
            combine: mosaics and mixtures of several pictures are allowed.

        Returns:
            The picture, boxes clipped to it, and their classes; boxes that left it are gone.
        """
        if light:
            return self._turned(supply.placed(index, supply.bare(index)), rng)
        scene = self._moved(supply, index, rng, combine)
        if rng.random() < self._options.mixup and combine:
            other = int(rng.integers(len(supply)))
            scene = _mix(scene, self._moved(supply, other, rng, combine), rng.beta(8.0, 8.0))
        scene = recolour(scene, self._options, rng)
        if self._more is not None:
            scene = _apply(self._more, scene, rng)
        return self._turned(scene, rng)

    def _moved(self, supply: Supply, index: int, rng: Generator, combine: bool) -> Scene:
        if rng.random() < self._options.mosaic and combine:
            indices = [index, *(int(other) for other in rng.integers(len(supply), size=3))]
            tiles = [supply.bare(indices[place]) for place in rng.permutation(4)]
            return self._geometry.mosaic(tiles, supply.size, rng)
        bare = supply.bare(index)
        moved = self._geometry.distort(bare, supply.offset(index), supply.size, rng)
        return supply.placed(index, bare) if moved is None else moved

    def _turned(self, scene: Scene, rng: Generator) -> Scene:
        import cv2

        # OpenCV copies a mirrored picture ten times as fast as numpy does.
        image: Any = scene.image
        boxes = scene.boxes.copy()
        if rng.random() < self._options.flip:
            image = cv2.flip(image, 1)
            boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
        if rng.random() < self._options.vertical_flip:
            image = cv2.flip(image, 0)
            boxes[:, [1, 3]] = image.shape[0] - boxes[:, [3, 1]]
        if rng.random() < self._options.rot90:
            for _ in range(int(rng.integers(1, 4))):
                # What was right comes to lie above.
                width = image.shape[1]
                image = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
                boxes = boxes[:, [1, 2, 3, 0]]
                boxes[:, [1, 3]] = width - boxes[:, [1, 3]]
        return Scene(np.ascontiguousarray(image), boxes, scene.classes)


def _mix(one: Scene, other: Scene, share: float) -> Scene:
    """Lay two pictures over each other (Zhang et al., 2018); the boxes of both count in full."""
    import cv2

    return Scene(
        np.asarray(cv2.addWeighted(one.image, share, other.image, 1.0 - share, 0.0), np.uint8),
        np.concatenate([one.boxes, other.boxes]),
        np.concatenate([one.classes, other.classes]),
    )


def _apply(pipeline: Any, scene: Scene, rng: Generator) -> Scene:
    # `set_random_seed` would give every transform the same first number, so that all of them
    # act on the same pictures and none on the others; they must draw from one stream.
    pipeline.set_random_state(rng, random.Random(int(rng.integers(2**63))))  # noqa: S311
    height, width = scene.image.shape[:2]
    changed = pipeline(image=scene.image, bboxes=scene.boxes, classes=scene.classes)
    if changed["image"].shape != (height, width, 3) or changed["image"].dtype != np.uint8:
        raise ValueError(
            "augmentation.albumentations: the transforms must leave pictures at their size, uint8 "
            f"RGB; they made {changed['image'].dtype} {changed['image'].shape} of {height}x{width}"
        )
    return Scene(
        np.ascontiguousarray(changed["image"]),
        np.asarray(changed["bboxes"], np.float32).reshape(-1, 4),
        np.asarray(changed["classes"], np.int64).reshape(-1),
    )


def _compose(options: AugmentationOptions) -> Any:
    """Build the user's albumentations transforms, or nothing."""
    if not options.albumentations:
        return None
    # Without this the import asks PyPI for news.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    transforms = []
    for entry in options.albumentations:
        arguments = dict(entry)
        name = arguments.pop("name")
        kind = getattr(albumentations, str(name), None)
        if not (isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform)):
            raise ValueError(f"augmentation.albumentations: albumentations has no {name!r}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # it only warns of a wrong argument
                transforms.append(kind(**arguments))
        except Exception as error:  # its checks raise whatever pydantic and Python do
            said = " ".join(str(error).split())[:200]
            raise ValueError(f"augmentation.albumentations: {name}: {said}") from error
    boxes = albumentations.BboxParams(
        format="pascal_voc",
        label_fields=["classes"],
        clip=True,
        min_visibility=options.min_visible,
        min_width=1,  # less than a pixel can't be learned from
        min_height=1,
    )
    with warnings.catch_warnings():
        # It wonders about boxes where nothing moves any.
        warnings.filterwarnings("ignore", "Got processor for bboxes")
        return albumentations.Compose(transforms, bbox_params=boxes)
