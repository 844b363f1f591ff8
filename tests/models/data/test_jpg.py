"""PDFs and odd pictures to JPEG files."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from models.data.jpg import to_jpg
from models.data.pictures import check_picture
from models.reporting import Silence
from pipelines.cli import main

HEIC = (
    "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>UfiWyMwIq=N0u(b+a*CjAhJwuG5(YG&l$nzcHpIn&fe{FSfUyc"
    "f1A!h8D`#frrGa@MQBfc#l?lqrC`&d3G5HEIOLE~#u4NV!6#(h&nFY!DK)M2`%$boHBs2l6NbUo}pT9qTFfi"
    "~lCjfOwI56@s{{IhBzzkBs3_^0dm>d#;lG;v;jA$|o6dGBlz4Fvtm&YW<!vPXH0U|gYl7Q;jT^J7*ZBTLmS|"
    "gmCpHq~VoKpc5=4D`O01Am@78j&K{pJA00tJ~BnIHjX4i2Dc4C0vuxv<~^h6qa|6Eh2tX_lLk2nszd4aW5>K"
    "OBuRZ~s5q{{R24CHbj;S1oK4sPEdle*c+$^8a6ccvqget@>B&KL9WjT66"
)
"""A picture, red beside blue, written by pillow-heif, compressed; base 85."""


def picture(seed: int = 0, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC).convert(mode)


def go(source: Path, target: Path, **options: int) -> tuple[dict[str, tuple[int, int]], list[str]]:
    done = to_jpg(source, target, Silence(), **options)
    sizes = {}
    for file in sorted(target.rglob("*.*")):
        with Image.open(file) as opened:
            assert (opened.format, opened.mode) == ("JPEG", "RGB")
            sizes[file.relative_to(target).as_posix()] = opened.size
    assert len(sizes) == done.files
    return sizes, [f"{one.item}: {one.reason}" for one in done.rejected]


def test_pages_frames_and_odd_modes_become_jpeg(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep folder").mkdir(parents=True)

    def pages() -> list[Image.Image]:  # Pillow's PDF writer leaves its settings on a picture
        return [picture(1), picture(2)]

    picture().save(source / "paper.pdf", save_all=True, append_images=pages(), resolution=72)
    picture().save(source / "fax.tif", save_all=True, append_images=pages())
    picture().save(source / "moving.gif", save_all=True, append_images=pages())
    picture(mode="RGBA").save(source / "deep folder" / "клетка.webp")
    picture(mode="CMYK").save(source / "cmyk.jpg")
    picture(mode="L").save(source / "grey.png")
    picture().save(source / "grey.BMP")
    picture().save(source / "wave.jp2")
    (source / "notes.txt").write_text("hello")
    (source / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (source / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    sizes, rejected = go(source, tmp_path / "out", dpi=72)
    assert sizes == dict.fromkeys(
        [
            *("cmyk.jpg", "deep folder/клетка.jpg", "wave.jpg"),
            *("fax-001.jpg", "fax-002.jpg", "fax-003.jpg", "grey.jpg", "grey_2.jpg", "moving.jpg"),
            *("paper-001.jpg", "paper-002.jpg", "paper-003.jpg"),
        ],
        (80, 60),
    )
    assert rejected == [
        "broken.jpg: the content isn't a picture",
        "broken.pdf: it isn't a PDF, or a broken one",
    ]


def test_heic_of_a_telephone_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "IMG_1.HEIC").write_bytes(zlib.decompress(base64.b85decode(HEIC)))
    sizes, rejected = go(tmp_path / "in", tmp_path / "out")
    assert (sizes, rejected) == ({"IMG_1.jpg": (64, 64)}, [])
    with Image.open(tmp_path / "out" / "IMG_1.jpg") as opened:
        left, right = opened.getpixel((8, 32)), opened.getpixel((56, 32))
    assert np.abs(np.array([left, right]) - [(200, 30, 30), (30, 30, 200)]).max() < 30


def test_upright_jpegs_are_copied_and_turned_ones_are_put_upright(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(source / "plain.jpg", quality=60)
    picture().save(source / "turned.jpg", exif=exif)
    sizes, _ = go(source, tmp_path / "out")
    assert sizes == {"plain.jpg": (80, 60), "turned.jpg": (60, 80)}
    assert (tmp_path / "out" / "plain.jpg").read_bytes() == (source / "plain.jpg").read_bytes()
    assert check_picture(tmp_path / "out" / "turned.jpg").orientation == 1


@pytest.mark.parametrize(
    ("options", "size"),
    [({"dpi": 72}, (80, 60)), ({"dpi": 144}, (160, 120)), ({"longest_side": 40}, (40, 30))],
)
def test_dots_and_sides_have_an_effect(
    tmp_path: Path, options: dict[str, int], size: tuple[int, int]
) -> None:
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / "a.pdf", resolution=72)
    sizes, _ = go(tmp_path / "in", tmp_path / "out", **options)
    assert sizes == {"a.jpg": size}


def test_quality_has_an_effect(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / "a.png")
    lengths = []
    for quality in (30, 95):
        go(tmp_path / "in", tmp_path / str(quality), quality=quality)
        lengths.append((tmp_path / str(quality) / "a.jpg").stat().st_size)
    assert lengths[0] < lengths[1]


def test_a_page_too_large_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture().resize((2000, 2000)).save(tmp_path / "in" / "a.pdf", resolution=10)
    picture().save(tmp_path / "in" / "b.pdf", resolution=72)
    sizes, rejected = go(tmp_path / "in", tmp_path / "out", dpi=1200)
    assert list(sizes) == ["b.jpg"]
    assert "lower --dpi" in rejected[0]


def test_a_picture_too_long_for_jpeg_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("L", (65_600, 2)).save(tmp_path / "in" / "long.png")
    picture().save(tmp_path / "in" / "z.png")
    sizes, rejected = go(tmp_path / "in", tmp_path / "out")
    assert list(sizes) == ["z.jpg"]
    assert rejected == [
        "long.png: it has 65600 x 2 pixels, and JPEG no side over 65500: make it smaller with "
        "--longest-side"
    ]
    assert go(tmp_path / "in", tmp_path / "small", longest_side=1000)[0]["long.jpg"] == (1000, 1)


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"")
    arguments = ["pictures", str(tmp_path / "in"), str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "1 JPEG files, 0 of them copied" in result.output
    assert "b.png: the file is empty" in result.output
    again = CliRunner().invoke(main, arguments)
    assert (again.exit_code, "isn't empty" in again.output) == (1, True)
    (tmp_path / "none").mkdir()
    none = CliRunner().invoke(main, ["pictures", str(tmp_path / "none"), str(tmp_path / "x")])
    assert "no picture and no PDF there" in none.output
