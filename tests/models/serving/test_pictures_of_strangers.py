"""Pictures that are decoded, and those that are refused before they are."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from models.data.pictures import plain_rgb
from models.serving.pictures import decode_picture
from models.serving.refusal import Refusal

RANDOM = np.random.default_rng(0)
PIXELS = cv2.GaussianBlur(RANDOM.integers(0, 256, (60, 80, 3), dtype=np.uint8), (0, 0), 2)


def written(kind: str, pixels: np.ndarray = PIXELS, **more: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **more)
    return buffer.getvalue()


INK = np.zeros((60, 80, 4), np.uint8)
INK[20:40, 10:50, 3] = 255
INK[22, 10:50, 0] = 200
TURN = Image.Exif()
TURN[0x0112] = 6


def turned() -> bytes:
    return written("JPEG", exif=TURN)


def png(width: int, height: int, data: bytes, *, end: bool = True) -> bytes:
    """A PNG with whatever in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + (chunk(b"IEND", b"") if end else b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(written("JPEG"), id="jpeg"),
        pytest.param(written("JPEG", progressive=True), id="progressive"),
        pytest.param(written("JPEG", PIXELS[..., 0]), id="grey"),
        pytest.param(written("PNG"), id="png"),
        pytest.param(written("PNG", PIXELS[..., 0]), id="grey png"),
        pytest.param(written("PNG", np.dstack([PIXELS, PIXELS[..., :1]])), id="alpha"),
        pytest.param(written("PNG", INK), id="ink"),
        pytest.param(written("PNG", INK, exif=TURN), id="turned ink"),
        pytest.param(turned(), id="turned"),
        pytest.param(written("JPEG") + b"a telephone's own data", id="trailer"),
    ],
)
def test_it_is_what_predict_reads(data: bytes) -> None:
    found = decode_picture(data, 1e6)
    assert found.dtype == np.uint8
    assert (found == np.asarray(plain_rgb(Image.open(io.BytesIO(data))))).all()


def test_exif_rotation_is_carried_out() -> None:
    assert decode_picture(turned(), 1e6).shape == (80, 60, 3)


HUGE = bytearray(written("JPEG"))
HUGE[HUGE.index(b"\xff\xc0") + 5 : HUGE.index(b"\xff\xc0") + 9] = struct.pack(">HH", 20000, 20000)
JPEG, PNG = written("JPEG"), written("PNG")
SCAN = written("JPEG", progressive=True)
SCANS = SCAN[:-2] + SCAN[SCAN.rindex(b"\xff\xda") : -2] * 300 + b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"cat", "no JPEG or PNG"),
        (written("GIF"), "no JPEG or PNG"),
        (written("WEBP"), "no JPEG or PNG"),
        (written("BMP"), "no JPEG or PNG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "no JPEG or PNG"),
        (bytes(HUGE), "too many pixels"),
        (png(20000, 20000, zlib.compress(bytes(1000))), "too many pixels"),
        (png(9000, 9000, b""), "9000 x 9000 pixels"),
        (png(0x7FFFFFFF, 0x7FFFFFFF, b""), "too many pixels"),
        (written("JPEG", np.zeros((1001, 1000, 3), np.uint8)), "1000 x 1001 pixels"),
        (JPEG[: len(JPEG) * 3 // 4], "cut off"),
        (JPEG[:-2], "cut off"),
        (PNG[: len(PNG) // 2], "cut off"),
        (png(80, 60, zlib.compress(bytes(60 * 241)), end=False), "cut off"),
        (SCANS, "cut off or broken"),
        (png(80, 60, b"no zlib"), "can't be decoded"),
    ],
)
def test_refused(data: bytes, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        decode_picture(data, 1e6)
    assert caught.value.status == 400
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_decoded_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", never)
    for data in (bytes(HUGE), png(9000, 9000, zlib.compress(bytes(100))), JPEG[:-2], SCANS):
        with pytest.raises(Refusal):
            decode_picture(data, 1e6)
    with pytest.raises(AssertionError):
        decode_picture(JPEG, 1e6)
