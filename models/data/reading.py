"""Decoding the pictures of a prepared dataset. No torch in here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.reporting import Image


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
