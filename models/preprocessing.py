"""How a picture becomes a network's input: one piece of code for training and every runtime.

What leaves this module is uint8. Normalisation (`scale`, `mean`, `std`) happens on the device, in
`models.normalisation`, which is also part of every exported graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from models.reporting import Image

Boxes = NDArray[np.float32]
"""Shape (..., 4), xyxy, pixels; the corner of the first pixel is (0, 0), not its centre."""

Level = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the network's input."""

    scale_x: float
    """Input pixels for one picture pixel; exact, so it includes the rounding of the inner size."""
    scale_y: float
    left: int
    """Input pixels left of the picture."""
    top: int
    height: int
    """Of the original picture, pixels."""
    width: int

    def to_input(self, boxes: Boxes) -> Boxes:
        """Move boxes (xyxy) from pixels of the picture to pixels of the input."""
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        moved: Boxes = boxes * scale + np.array([self.left, self.top] * 2, np.float32)
        return moved

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Move boxes (xyxy) from pixels of the input to pixels of the picture, clipped to it."""
        return np.asarray(to_pictures(np.asarray(boxes)[None], [self])[0], np.float32)


def to_pictures(boxes: Boxes, placements: Sequence[Placement]) -> Boxes:
    """Undo the resize for a batch at once.

    Args:
        boxes: shape (B, N, 4), xyxy, pixels of the input.
        placements: of the B pictures.

    Returns:
        Shape (B, N, 4), xyxy, pixels of each picture, clipped to it.
    """
    table = np.array(
        [(p.left, p.top, p.scale_x, p.scale_y, p.width, p.height) for p in placements], np.float32
    ).reshape(-1, 1, 6)
    offset, scale, size = (np.tile(table[..., i : i + 2], 2) for i in (0, 2, 4))
    moved: Boxes = np.clip((boxes - offset) / scale, np.float32(0), size)
    return moved


class Preprocessing(BaseModel):
    """The `preprocessing` part of `model.json`: picture in, network input out."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    height: int = Field(ge=1, le=8192)
    """Of the network's input, pixels."""
    width: int = Field(ge=1, le=8192)
    """Of the network's input, pixels."""
    resize_mode: Literal["letterbox", "stretch"] = "letterbox"
    """`letterbox` keeps the picture's shape and pads the rest; `stretch` fills the input. Inner
    sizes of a letterbox are rounded half to even."""
    alignment: Literal["centre", "top-left"] = "centre"
    """Where a letterboxed picture lies; `centre` puts the odd pixel right and below."""
    fill: tuple[Level, Level, Level] = (114, 114, 114)
    """RGB of a letterbox's padding."""
    interpolation: Literal["mipmap", "linear", "area"] = "mipmap"
    """`linear`: bilinear between pixel centres, without antialiasing (OpenCV's INTER_LINEAR).
    `mipmap`: sides halved (rounded up) by `linear` while both are at least twice what is wanted,
    then `linear`; as good as free, and thin lines survive. `area`: mean over the area that each
    pixel covers (OpenCV's INTER_AREA) when shrinking, else `linear`."""
    scale: float = Field(1 / 255, gt=0.0)
    """Normalisation: (pixel x scale - mean) / std. Exported graphs do this themselves."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """RGB."""
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.229, 0.224, 0.225)
    """RGB."""

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
        scale = min(self.width / width, self.height / height)
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
