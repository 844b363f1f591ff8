"""Check picture files: does the content decode to its end, and how large is it really?"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

# Formats and modes that every reader (Pillow, OpenCV, a browser) turns into the same pixels.
_PLAIN = {
    "JPEG": ("L", "RGB"),
    "MPO": ("RGB",),
    "PNG": ("L", "RGB"),
    "BMP": ("L", "RGB"),
    "WEBP": ("RGB",),
}
_QUALITY = 95
_HEIC = (".heic", ".heif", ".hif")
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".jp2", *_HEIC}
)
"""Suffixes of the files that are taken for pictures, in lower case."""
try:
    from pi_heif import register_heif_opener
except ImportError:  # an extra: its libraries are LGPL
    _HEIC_IS_READ = False
else:
    register_heif_opener()
    _HEIC_IS_READ = True
THUMBNAIL = 16
"""Side of the thumbnails by which near-duplicates are found, pixels."""


class PictureError(ValueError):
    """A file that isn't a whole, readable picture."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What checking a picture file found out."""

    width: int
    """Width as it is to be looked at, EXIF rotation applied, pixels."""
    height: int
    """Height as it is to be looked at, pixels."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 is upright."""
    plain: bool
    """Whether the file can be taken over as it is: upright, 8 bits, grey or RGB."""
    suffix: str
    """Suffix for a file with this content, such as `.jpg`."""
    digest: str
    """BLAKE2 hash of the file's bytes."""
    brightness: float
    """Mean luma, 0 to 255."""
    thumbnail: bytes
    """16 x 16 levels of grey, upright, stretched to a square."""


def check_picture(path: Path) -> PictureFacts:
    """Read a picture to its last byte.

    JPEG data is decoded wholly but transformed at an eighth of the size: nothing stays unread, and
    it takes about half the time.

    Raises:
        PictureError: no such file, not a picture, or a broken one; the text is the reason.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise PictureError("the file is missing") from None
    except OSError as error:
        raise PictureError(f"the file can't be read: {error.strerror}") from None
    except ValueError:
        raise PictureError("its name is none that a file can have") from None
    if not content:
        raise PictureError("the file is empty")
    with readable(path), Image.open(io.BytesIO(content)) as image:
        kind, mode, (width, height) = image.format or "", image.mode, image.size
        orientation, frames = _orientation(image), getattr(image, "n_frames", 1)
        least = 2 * THUMBNAIL
        image.draft("L", (max(width // 8, least), max(height // 8, least)))
        grey = image.convert("L")
        brightness = float(np.asarray(grey).mean())
        square = (THUMBNAIL, THUMBNAIL)
        small = _turn(grey, orientation).resize(square, Image.Resampling.BOX)
        if kind == "PNG":
            with Image.open(io.BytesIO(content)) as again:
                again.verify()  # checksums, which decoding skips
    if orientation >= 5:
        width, height = height, width
    plain = orientation == 1 and mode in _PLAIN.get(kind, ()) and (frames == 1 or kind == "MPO")
    suffix = {"JPEG": ".jpg", "MPO": ".jpg"}.get(kind, f".{kind.lower()}")
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return PictureFacts(
        width, height, orientation, plain, suffix, digest, brightness, small.tobytes()
    )


def check_pictures(
    paths: Sequence[Path], workers: int
) -> Iterator[tuple[Path, PictureFacts | PictureError]]:
    """Check many pictures side by side, in the order given (decoding releases the GIL)."""

    def check(path: Path) -> PictureFacts | PictureError:
        try:
            return check_picture(path)
        except PictureError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        # In blocks, so that a million files don't queue up at once.
        for start in range(0, len(paths), 1024):
            block = paths[start : start + 1024]
            yield from zip(block, pool.map(check, block), strict=True)


def rewrite_plain(source: Path, target: Path) -> Path:
    """Write a picture anew, upright, 8-bit RGB: JPEGs as JPEG of quality 95, the rest as PNG.

    Transparent parts turn white. Of several frames the first is taken. 65535 is the white of 16
    bits, 255 that of floating-point pixels.

    Args:
        source: The picture.
        target: Where to write; the suffix is put right.

    Returns:
        The file written.
    """
    with Image.open(source) as opened:
        kind = opened.format
        image = plain_rgb(opened)
    if kind in ("JPEG", "MPO"):
        target = target.with_suffix(".jpg")
        image.save(target, quality=_QUALITY, subsampling=0)
    else:
        target = target.with_suffix(".png")
        image.save(target, compress_level=3)
    return target


def plain_rgb(opened: Image.Image) -> Image.Image:
    """Turn a picture's present frame upright and into 8-bit RGB; see `rewrite_plain`."""
    image: Image.Image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I") or image.mode == "F":
        # Never by the picture's own maximum: a dark picture must stay darker than a light one.
        values = np.asarray(image, np.float64) * (1 if image.mode == "F" else 255 / 65535)
        image = Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    image = image.convert("RGB")
    image.info.clear()
    return image


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in one way what is wrong with a picture that a decoder refuses.

    Raises:
        PictureError: the text is the reason.
    """
    try:
        yield
    except UnidentifiedImageError:
        if path.suffix.lower() in _HEIC and not _HEIC_IS_READ:
            reason = "HEIC is read by the package pi-heif only: pip install 'sightline[heic]'"
            raise PictureError(reason) from None
        raise PictureError("the content isn't a picture") from None
    except Image.DecompressionBombError:
        raise PictureError("the picture has too many pixels") from None
    except Exception as error:  # Pillow's decoders raise whatever their format's library does
        raise PictureError(f"the picture is broken or cut off: {error}") from None


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture upright by its EXIF orientation."""
    ways = Image.Transpose
    turns = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF: viewers show such pictures as they are stored
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
