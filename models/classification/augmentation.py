"""Random changes to training pictures, each a function of a random generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from models.classification.augmentation_options import AugmentationOptions
from models.classification.randaugment import randaugment
from models.reporting import Image


class Augmentation:
    """Changes pictures of the network's input size: geometry in one warp, then colour."""

    def __init__(self, options: AugmentationOptions, fill: tuple[int, int, int]) -> None:
        """Take the options.

        Args:
            options: what to change and how often.
            fill: colour of what comes in from outside the picture, as in letterboxing.
        """
        import cv2

        cv2.setNumThreads(0)  # loader processes and torch have the cores
        self._options = options
        self._fill = fill

    def __call__(self, image: Image, rng: Generator, *, light: bool = False) -> Image:
        """Make a training picture.

        Args:
            image: RGB, uint8, not written to.
            rng: the same state makes the same choices.
            light: only flips and turns.

        Returns:
            A picture of the same size.
        """
        options = self._options
        if not light:
            image = self._moved(image, rng)
            if options.randaugment:
                image = randaugment(image, options.randaugment, options.magnitude, rng, self._fill)
            image = self._coloured(image, rng)
        image = self._turned(image, rng)
        if not light and rng.random() < options.erase:
            image = _erased(image, rng)
        return np.ascontiguousarray(image)

    def _moved(self, image: Image, rng: Generator) -> Image:
        """Cut out, enlarge and rotate in one warp."""
        options = self._options
        height, width = image.shape[:2]
        area = rng.uniform(*options.crop)
        stretch = np.exp(rng.uniform(-1, 1) * np.log(options.aspect))
        angle = np.deg2rad(rng.uniform(-1, 1) * options.rotate)
        if area == 1.0 and stretch == 1.0 and angle == 0.0:
            return image
        wide = min(1.0, np.sqrt(area * stretch)) * width
        high = min(1.0, np.sqrt(area / stretch)) * height
        x = rng.uniform(wide / 2, width - wide / 2) if wide < width else width / 2
        y = rng.uniform(high / 2, height - high / 2) if high < height else height / 2
        cos, sin = np.cos(angle), np.sin(angle)
        # Where each place of the new picture is taken from.
        across, down = wide / width, high / height
        matrix = np.array(
            [
                [across * cos, -down * sin, x - across * cos * width / 2 + down * sin * height / 2],
                [across * sin, down * cos, y - across * sin * width / 2 - down * cos * height / 2],
            ]
        )
        return _warped(image, matrix, self._fill)

    def _coloured(self, image: Image, rng: Generator) -> Image:
        import cv2

        options = self._options
        changed: Any = image
        if rng.random() < options.colour:
            brightness, contrast, saturation = 1 + options.strength * rng.uniform(-1, 1, 3)
            mean = float(image.mean())
            grey = np.array([0.299, 0.587, 0.114])
            # One matrix: colours towards grey, then around the mean, then lighter or darker.
            mix = saturation * np.eye(3) + (1 - saturation) * np.tile(grey, (3, 1))
            matrix = np.hstack(
                [brightness * contrast * mix, np.full((3, 1), brightness * (1 - contrast) * mean)]
            )
            changed = cv2.transform(changed, matrix)
        if rng.random() < options.grey:
            changed = np.repeat(cv2.cvtColor(changed, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        if rng.random() < options.blur:
            changed = cv2.GaussianBlur(changed, (0, 0), float(rng.uniform(0.3, 1.2)))
        if rng.random() < options.noise:
            grain = rng.standard_normal(changed.shape, np.float32) * rng.uniform(2, 10)
            changed = np.clip(changed + grain, 0, 255).astype(np.uint8)
        return np.asarray(changed, np.uint8)

    def _turned(self, image: Image, rng: Generator) -> Image:
        import cv2

        turned: Any = image
        if rng.random() < self._options.flip:
            turned = cv2.flip(turned, 1)
        if rng.random() < self._options.vertical_flip:
            turned = cv2.flip(turned, 0)
        if rng.random() < self._options.rot90:
            for _ in range(int(rng.integers(1, 4))):
                turned = cv2.rotate(turned, cv2.ROTATE_90_COUNTERCLOCKWISE)
        return np.asarray(turned, np.uint8)


def _warped(image: Image, matrix: Any, fill: tuple[int, int, int]) -> Image:
    import cv2

    height, width = image.shape[:2]
    return np.asarray(
        cv2.warpAffine(
            image,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        ),
        np.uint8,
    )


def _erased(image: Image, rng: Generator) -> Image:
    """Fill a rectangle of 2 to 33 % of the picture with noise."""
    height, width = image.shape[:2]
    area, aspect = rng.uniform(0.02, 0.33), np.exp(rng.uniform(-1.2, 1.2))
    high = max(1, min(height, round(height * np.sqrt(area * aspect))))
    wide = max(1, min(width, round(width * np.sqrt(area / aspect))))
    top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
    changed = image.copy()
    changed[top : top + high, left : left + wide] = rng.integers(
        0, 256, (high, wide, 3), dtype=np.uint8
    )
    return changed
