"""Random changes to training pictures, each a function of a seed."""

from __future__ import annotations

import os
import random
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.augmentation_options import AugmentationOptions
from models.reporting import Image

Boxes = NDArray[np.float32]
"""Shape (N, 4), xyxy, pixels."""
Classes = NDArray[np.int64]
"""Shape (N,), class index."""


class Augmentation:
    """Flips, turns, affine changes, colour, blur and noise that keep boxes and picture together.

    Works on pictures of the network's input size, after resizing, so that its cost doesn't grow
    with the size of the originals.
    """

    def __init__(self, options: AugmentationOptions, fill: tuple[int, int, int]) -> None:
        """Build the pipelines.

        Args:
            options: what to change and how often.
            fill: colour of what comes in from outside the picture, as in letterboxing.
        """
        import cv2

        cv2.setNumThreads(0)  # loader processes and torch have the cores
        self._full = _compose(_turns(options) + _changes(options, fill), options)
        self._light = _compose(_turns(options), options)

    def __call__(
        self, image: Image, boxes: Boxes, classes: Classes, seed: int, light: bool = False
    ) -> tuple[Image, Boxes, Classes]:
        """Change one picture.

        Args:
            image: RGB, any size.
            boxes: xyxy, pixels of `image`.
            classes: class index of each box.
            seed: the same seed makes the same choices.
            light: only flips and turns.

        Returns:
            Picture, boxes clipped to it, and their classes; boxes that left it are gone.
        """
        pipeline = self._light if light else self._full
        if pipeline is None:
            return image, boxes, classes
        # `set_random_seed` would give every transform the same first number, so that all of them
        # act on the same pictures and none on the others; they must draw from one stream.
        pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
        changed = pipeline(image=image, bboxes=boxes, classes=classes)
        return (
            np.ascontiguousarray(changed["image"]),
            np.asarray(changed["bboxes"], np.float32).reshape(-1, 4),
            np.asarray(changed["classes"], np.int64).reshape(-1),
        )


def _turns(options: AugmentationOptions) -> list[Any]:
    A = _albumentations()  # noqa: N806

    return [
        A.HorizontalFlip(p=options.flip),
        A.VerticalFlip(p=options.vertical_flip),
        A.RandomRotate90(p=options.rot90),
    ]


def _changes(options: AugmentationOptions, fill: tuple[int, int, int]) -> list[Any]:
    A = _albumentations()  # noqa: N806

    return [
        A.Affine(
            scale=options.scale,
            translate_percent=(-options.shift, options.shift),
            rotate=(-options.rotate, options.rotate),
            keep_ratio=True,
            fill=fill,
            p=options.affine,
        ),
        A.ColorJitter(
            brightness=(0.7, 1.3),
            contrast=(0.7, 1.3),
            saturation=(0.7, 1.3),
            hue=(-0.03, 0.03),
            p=options.colour,
        ),
        A.ToGray(p=options.grey),
        A.GaussianBlur(blur_limit=(3, 5), p=options.blur),
        A.GaussNoise(std_range=(0.01, 0.05), p=options.noise),
    ]


def _compose(transforms: list[Any], options: AugmentationOptions) -> Any:
    A = _albumentations()  # noqa: N806

    active = [transform for transform in transforms if transform.p > 0.0]
    if not active:
        return None
    boxes = A.BboxParams(
        format="pascal_voc",
        label_fields=["classes"],
        clip=True,
        min_visibility=options.min_visible,
        # Less than a pixel can't be learned from.
        min_width=1,
        min_height=1,
    )
    with warnings.catch_warnings():
        # It wonders about boxes where nothing moves any.
        warnings.filterwarnings("ignore", "Got processor for bboxes")
        return A.Compose(active, bbox_params=boxes)


def _albumentations() -> Any:
    # Without this the import asks PyPI for news.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations
