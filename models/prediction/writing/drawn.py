"""Pictures with results drawn in, and what is cut out of them."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

import cv2
import numpy as np

from models.data.jpg import JPEG_SIDE
from models.prediction.names import part
from models.prediction.reading import Place
from models.prediction.writing.folder import ResultsFolder
from models.prediction.writing.sinks import Seen
from models.reporting import Image


class DrawnPictures:
    """`pictures/`: pictures and pages with results drawn in; for `frames/`, frames of videos."""

    def __init__(self, folder: ResultsFolder, frames: bool = False) -> None:
        self._folder = folder
        self._frames = frames
        self._below = PurePosixPath("frames" if frames else "pictures")

    def render(self, seen: Seen) -> None:
        """Draw and write."""
        if (seen.place.clip is not None) == self._frames:
            suffix, content = encoded(seen.drawn, 90)
            self._folder.write(self._below / f"{seen.place.name}{suffix}", content)

    def write(self, place: Place, rendered: None) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is open."""


class Crops:
    """`crops/<class>/`: each result cut out of its picture."""

    def __init__(self, folder: ResultsFolder, padding: str) -> None:
        """Take the padding as `CropOptions.padding` says it."""
        self._folder = folder
        self._relative = padding.endswith("%")
        self._padding = float(padding.rstrip("%")) / (100 if self._relative else 1)

    def render(self, seen: Seen) -> None:
        """Cut out and write."""
        for number, region in enumerate(seen.presenter.regions(seen.result), 1):
            crop = self.cut(seen.image, region.box)
            if crop.size:
                suffix, content = encoded(crop, 95)
                name = f"{seen.place.name}-{number:02}{suffix}"
                self._folder.write(PurePosixPath("crops") / part(region.label) / name, content)

    def cut(self, image: Image, box: tuple[float, float, float, float]) -> Image:
        """Cut a box (xyxy, pixels) with padding out of a picture; empty if nothing of it is in."""
        left, top, right, bottom = box
        if right <= left or bottom <= top:
            return image[:0]
        across = self._padding * (right - left if self._relative else 1)
        down = self._padding * (bottom - top if self._relative else 1)
        height, width = image.shape[:2]
        x0, x1 = max(0, math.floor(left - across)), min(width, math.ceil(right + across))
        y0, y1 = max(0, math.floor(top - down)), min(height, math.ceil(bottom + down))
        return image[y0 : max(y0, y1), x0 : max(x0, x1)]

    def write(self, place: Place, rendered: None) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is open."""


def encoded(image: Image, quality: int) -> tuple[str, bytes]:
    """Encode as JPEG, or as PNG what is too long for it; returns the suffix too."""
    long = max(image.shape[:2]) > JPEG_SIDE
    suffix = ".png" if long else ".jpg"
    settings = [] if long else [cv2.IMWRITE_JPEG_QUALITY, quality]
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    done, content = cv2.imencode(suffix, bgr, settings)
    assert done, f"OpenCV can't encode a picture of shape {image.shape}"
    return suffix, content.tobytes()
