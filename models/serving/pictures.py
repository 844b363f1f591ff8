"""Pictures from strangers: looked at before they are decoded."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image as PillowImage

from models.deployment.standalone.decoding import decoded
from models.reporting import Image
from models.serving.refusal import bad_request

_MOST_SCANS = 200
"""Of a progressive JPEG; each scan costs a pass over all pixels, however short it is."""


def decode_picture(data: bytes, most_pixels: float) -> Image:
    """Decode a JPEG or PNG file, its EXIF rotation applied, transparent parts white.

    Size and completeness are read off the file before a pixel is decoded.

    Args:
        data: content of the file.
        most_pixels: larger pictures are refused.

    Returns:
        RGB, uint8 (height, width, 3).

    Raises:
        Refusal: 400, saying what is wrong with it.
    """
    import cv2

    if not data:
        raise bad_request("the picture is empty")
    kind, width, height = _head(data)
    if width * height > most_pixels:
        raise bad_request(
            f"the picture has {width} x {height} pixels, more than {most_pixels / 1e6:g} million"
        )
    if not (_whole_jpeg(data) if kind == "JPEG" else _whole_png(data)):
        raise bad_request("the picture is cut off or broken")
    try:
        image = decoded(np.frombuffer(data, np.uint8))
    except cv2.error:
        image = None
    if image is None or sorted(image.shape[:2]) != sorted((width, height)):
        raise bad_request("the picture can't be decoded")
    return np.asarray(image, np.uint8)


def _head(data: bytes) -> tuple[str, int, int]:
    """Format, width and height as the file's head says."""
    try:
        with warnings.catch_warnings():
            # It warns of large pictures; the limit here is another.
            warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)
            with PillowImage.open(io.BytesIO(data), formats=("JPEG", "PNG", "MPO")) as opened:
                kind = "PNG" if opened.format == "PNG" else "JPEG"
                return kind, opened.width, opened.height
    except PillowImage.DecompressionBombError:
        raise bad_request("the picture has too many pixels") from None
    except Exception:  # its readers raise whatever they trip over
        raise bad_request("this is no JPEG or PNG picture") from None


def _whole_jpeg(data: bytes) -> bool:
    # Within a scan 0xFF is always followed by 0x00 or a restart marker, so these are markers.
    start = data.rfind(b"\xff\xda")
    return 0 <= start < data.rfind(b"\xff\xd9") and data.count(b"\xff\xda") <= _MOST_SCANS


def _whole_png(data: bytes) -> bool:
    return data.find(b"IEND\xae\x42\x60\x82") > data.find(b"IDAT") > 0
