"""From pictures of any size to the network's input. Needs NumPy and OpenCV alone.

Predicting without this project installed runs this very file (`models.deployment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.images import Image
from models.placement import Placement


class Resizing:
    """What `models.preprocessing.Preprocessing` does; its fields say how."""

    if TYPE_CHECKING:
        # Properties, since whoever holds the values may be frozen.
        @property
        def height(self) -> int: ...  # noqa: D102
        @property
        def width(self) -> int: ...  # noqa: D102
        @property
        def resize_mode(self) -> str: ...  # noqa: D102
        @property
        def alignment(self) -> str: ...  # noqa: D102
        @property
        def fill(self) -> tuple[int, int, int]: ...  # noqa: D102
        @property
        def interpolation(self) -> str: ...  # noqa: D102

    def placement(self, height: int, width: int) -> Placement:
        """Say where a picture of this size in pixels lies in the input."""
        inner_height, inner_width, top, left = self._inner(height, width)
        return Placement(inner_width / width, inner_height / height, left, top, height, width)

    def resize(self, image: Image) -> tuple[Image, Placement]:
        """Bring a picture to the input size, still uint8.

        Args:
            image: RGB, uint8, (height, width, 3).

        Returns:
            The input, uint8 (input height, input width, 3), and where the picture lies in it.

        Raises:
            ValueError: that is no such picture.
        """
        inputs, placements = self([image])
        return inputs[0], placements[0]

    def __call__(self, images: Sequence[Image]) -> tuple[NDArray[np.uint8], list[Placement]]:
        """Make a batch of pictures, of any sizes, the network's input.

        Args:
            images: RGB, uint8, (height, width, 3) each.

        Returns:
            uint8 (batch, input height, input width, 3), and where each picture lies in it.

        Raises:
            ValueError: one of them is no such picture.
        """
        inputs = np.empty((len(images), self.height, self.width, 3), np.uint8)
        placements = []
        for canvas, image in zip(inputs, images, strict=True):
            check_picture(image)
            height, width = image.shape[:2]
            self._pad(canvas, self.scaled(image), height, width)
            placements.append(self.placement(height, width))
        return inputs, placements

    def scaled(self, image: Image) -> Image:
        """Bring a picture to its size in the input, without the padding of a letterbox."""
        height, width, _, _ = self._inner(*image.shape[:2])
        return self._scaled(image, height, width)

    def scaled_size(self, height: int, width: int) -> tuple[int, int]:
        """Say height and width of `scaled` for a picture of this size, in pixels."""
        return self._inner(height, width)[:2]

    def padded(self, scaled: Image, height: int, width: int) -> Image:
        """Put what `scaled` made of a picture of this height and width into a new input."""
        canvas = np.empty((self.height, self.width, 3), np.uint8)
        self._pad(canvas, scaled, height, width)
        return canvas

    def _pad(self, canvas: Image, scaled: Image, height: int, width: int) -> None:
        # One number is filled in far faster than three.
        fill = self.fill[0] if len(set(self.fill)) == 1 else self.fill
        inner_height, inner_width, top, left = self._inner(height, width)
        bottom, right = top + inner_height, left + inner_width
        canvas[top:bottom, left:right] = scaled
        canvas[:top] = canvas[bottom:] = fill
        canvas[top:bottom, :left] = canvas[top:bottom, right:] = fill

    def _inner(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Height, width, top and left of the picture in the input, pixels."""
        if self.resize_mode == "stretch":
            return self.height, self.width, 0, 0
        scale = self.height / height
        if self.resize_mode != "line":
            scale = min(self.width / width, scale)
        inner_height = min(self.height, max(1, round(height * scale)))
        inner_width = min(self.width, max(1, round(width * scale)))
        if self.alignment == "top-left":
            return inner_height, inner_width, 0, 0
        top, left = (self.height - inner_height) // 2, (self.width - inner_width) // 2
        return inner_height, inner_width, top, left

    def _scaled(self, image: Image, height: int, width: int) -> Image:
        import cv2

        image = np.ascontiguousarray(image)
        have_height, have_width = image.shape[:2]
        if (have_height, have_width) == (height, width):
            return image
        if self.interpolation == "mipmap":
            while have_height >= 2 * height and have_width >= 2 * width:
                have_height, have_width = (have_height + 1) // 2, (have_width + 1) // 2
                half = cv2.resize(image, (have_width, have_height), interpolation=cv2.INTER_LINEAR)
                image = np.asarray(half, np.uint8)
        shrinks = height <= have_height and width <= have_width
        area = self.interpolation == "area" and shrinks
        how = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def check_picture(image: Image) -> None:
    """Refuse what is no RGB uint8 picture.

    Raises:
        ValueError: saying what it is.
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f"expected a picture as a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f"expected an RGB picture, uint8 (height, width, 3), got {image.dtype} {image.shape}"
        )
