"""Decode a picture with OpenCV into the pixels that training saw."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.images import Image

_JPEG, _PNG, _BMP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"
_PNG_COLOUR = 25
"""Place of the byte that says whether a PNG has an alpha channel: its bit 2."""
_ROWS = 256


def decoded(data: NDArray[np.uint8]) -> Image | None:
    """Decode as RGB, EXIF rotation applied and transparent parts white; None if it can't be.

    OpenCV alone would show what lies hidden below transparent parts, which is mostly black.

    Raises:
        cv2.error: it can't be decoded.
    """
    import cv2

    read = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    if read is None:
        return None
    image: Image = np.asarray(read, np.uint8)
    if not _may_be_transparent(data):
        return image
    whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim != 3 or whole.shape[2] != 4:
        return image
    opaque = {"uint8": 255, "uint16": 65535}.get(whole.dtype.name)
    alpha = whole[..., 3]
    if opaque is None or alpha.min() == opaque:
        return image
    mask: Image = np.asarray(alpha >> 8 if opaque > 255 else alpha, np.uint8)
    # Colours are turned upright, what is read unchanged isn't.
    lying = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    for plain, turned in zip(_turns(np.asarray(lying, np.uint8)), _turns(mask), strict=True):
        if np.array_equal(plain, image):
            return _on_white(image, turned)
    return image


def _may_be_transparent(data: NDArray[np.uint8]) -> bool:
    """Tell by the file's head, since to decode twice takes twice as long."""
    head = data[:4096].tobytes()
    if head.startswith(_PNG):
        colour = head[_PNG_COLOUR] if len(head) > _PNG_COLOUR else 0
        return bool(colour & 4) or b"tRNS" in data.tobytes().partition(b"IDAT")[0]
    return not head.startswith((_JPEG, _BMP))


def _turns(image: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Give a picture in all eight ways that EXIF knows; as it is first."""
    for one in (image, image[:, ::-1]):
        for quarters in range(4):
            yield np.rot90(one, quarters)


def _on_white(image: Image, alpha: NDArray[np.uint8]) -> Image:
    """Lay a picture on white, by parts: it takes a multiple of the memory."""
    for start in range(0, len(image), _ROWS):
        part = slice(start, start + _ROWS)
        share = alpha[part, :, None].astype(np.uint32)
        image[part] = (image[part] * share + 255 * (255 - share) + 127) // 255
    return image
