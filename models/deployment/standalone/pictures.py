"""Find and read the pictures that a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.deployment.standalone.decoding import decoded
from models.images import Image

# Read by OpenCV when it first decodes a picture: what is larger is refused, not decoded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(200_000_000))

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif"})


def find_pictures(sources: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """List pictures: the files named, and all below the folders named but hidden ones.

    Returns:
        Each file, and its path below the folder it was found in (its name for a file named).

    Raises:
        ValueError: there is no such file or folder, or a folder holds no picture.
    """
    for source in map(Path, sources):
        if source.is_dir():
            found = sorted(p for p in source.rglob("*") if _is_picture(p.relative_to(source)))
            if not found:
                raise ValueError(f"{source} holds no pictures")
            yield from ((path, path.relative_to(source)) for path in found if path.is_file())
        elif source.is_file():
            yield source, Path(source.name)
        else:
            raise ValueError(f"{source}: there is no such file or folder")


def _is_picture(below: Path) -> bool:
    """Tell by the name; hidden are thumbnails, and what a Mac puts beside each file it copies."""
    hidden = any(part.startswith(".") for part in below.parts)
    return not hidden and below.suffix.lower() in SUFFIXES


def read_picture(file: Path) -> Image:
    """Decode a picture as RGB, its EXIF rotation applied, transparent parts white.

    Raises:
        ValueError: the file can't be read, is no picture, or has over 200 million pixels.
    """
    import cv2

    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from error
    try:
        image = decoded(data) if data.size else None
    except cv2.error as error:
        reason = "it has too many pixels" if "pixels" in str(error).lower() else "it is broken"
        raise ValueError(f"{file} can't be decoded: {reason}") from error
    if image is None:
        raise ValueError(f"{file} can't be decoded: it is no picture, or a broken one")
    return np.asarray(image, np.uint8)


def write_picture(image: Image, file: Path) -> None:
    """Write a picture as JPEG.

    Raises:
        OSError: the disk refuses it.
    """
    import cv2

    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.tobytes())
