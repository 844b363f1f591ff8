import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from models.data.pictures import PictureError, check_picture, check_pictures, rewrite_plain


def noise(width: int = 96, height: int = 64, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    small = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return cv2.GaussianBlur(small, (5, 5), 0)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def cut(path: Path, share: float) -> Path:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".gif"])
def test_facts_of_whole_pictures(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", Image.fromarray(noise()))
    facts = check_picture(path)
    assert (facts.width, facts.height, facts.orientation) == (96, 64, 1)
    assert facts.plain is (suffix in (".jpg", ".png", ".bmp", ".webp"))
    assert facts.brightness == pytest.approx(127, abs=6)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_pictures_are_found(tmp_path: Path, suffix: str, share: float) -> None:
    path = cut(save(tmp_path / f"a{suffix}", Image.fromarray(noise(400, 300))), share)
    with pytest.raises(PictureError):
        check_picture(path)


def test_a_truncated_progressive_jpeg_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(noise(400, 300)), progressive=True)
    with pytest.raises(PictureError, match="cut off"):
        check_picture(cut(path, 0.7))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "missing"),
        (b"", "empty"),
        (b"<html>not found</html>", "isn't a picture"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "isn't a picture|broken"),
        (b"\x89PNG\r\n\x1a\n" + b"junk" * 20, "isn't a picture|broken"),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes | None, match: str) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError, match=match):
        check_picture(path)


def test_a_png_with_a_wrong_checksum_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(noise()))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x55
    path.write_bytes(raw)
    with pytest.raises(PictureError, match="broken"):
        check_picture(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.jpg", Image.fromarray(noise()), exif=exif, quality=95)
    facts = check_picture(path)
    assert facts.orientation == orientation
    assert (facts.width, facts.height) == ((96, 64) if orientation < 5 else (64, 96))
    assert facts.plain is (orientation == 1)
    new = rewrite_plain(path, tmp_path / "new.jpg")
    again = check_picture(new)
    assert (again.orientation, again.plain) == (1, True)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image), np.int16)
    written = cv2.imread(str(new))[..., ::-1].astype(np.int16)
    assert np.abs(upright - written).mean() < 4


PLAIN = {
    "palette": lambda: Image.fromarray(noise()).quantize(16),
    "transparent": lambda: Image.fromarray(np.dstack([noise(), noise(channels=1)])),
    "grey with alpha": lambda: Image.fromarray(noise(channels=1)).convert("LA"),
    "bits": lambda: Image.fromarray(noise(channels=1)).convert("1"),
    "deep": lambda: Image.fromarray(noise(channels=1).astype(np.uint16) * 257),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_unusual_pngs_become_plain(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "a.png", PLAIN[kind]())
    assert not check_picture(path).plain
    new = rewrite_plain(path, tmp_path / "new.jpg")
    assert new == tmp_path / "new.png"
    assert check_picture(new).plain
    with Image.open(new) as image:
        by_pillow = np.asarray(image)
    assert np.array_equal(by_pillow, cv2.imread(str(new))[..., ::-1])
    if kind == "deep":
        assert np.array_equal(by_pillow[..., 0], noise(channels=1))


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(noise()).convert("CMYK"))
    assert not check_picture(path).plain
    new = rewrite_plain(path, tmp_path / "b.jpg")
    assert check_picture(new).plain


def test_digest_is_of_the_content(tmp_path: Path) -> None:
    one = save(tmp_path / "a.png", Image.fromarray(noise()))
    two = tmp_path / "b.png"
    two.write_bytes(one.read_bytes())
    assert check_picture(one).digest == check_picture(two).digest
    two.write_bytes(one.read_bytes() + b"x")
    assert check_picture(one).digest != check_picture(two).digest


def test_many_are_checked_in_order(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(16, 16)).save(buffer, "PNG")
    paths = [tmp_path / f"{i}.png" for i in range(50)]
    for i, path in enumerate(paths):
        path.write_bytes(buffer.getvalue() if i % 7 else b"broken")
    found = list(check_pictures(paths, 3))
    assert [path for path, _ in found] == paths
    assert [isinstance(facts, PictureError) for _, facts in found] == [
        i % 7 == 0 for i in range(50)
    ]
