"""A table of malformed inputs: each is handled or set aside, and listed; the rest goes on.

Every case damages the first of six pictures, or what is written about it. All six have one box,
from 5, 5 to 25, 25 of 64 x 64 pixels.
"""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.reporting import Silence

BOX = [5.0, 5.0, 20.0, 20.0]


def picture(seed: int = 0, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(cv2.resize(pixels, (64, 64))).convert(mode)


@dataclass
class Coco:
    """A COCO split, and what is written about it."""

    folder: Path
    content: dict[str, Any]

    @property
    def first(self) -> Path:
        return self.folder / "data" / str(self.content["images"][0]["file_name"])

    def name(self, suffix: str) -> Path:
        """Give the first picture another suffix; its file isn't there yet."""
        self.first.unlink()
        self.content["images"][0]["file_name"] = f"0{suffix}"
        return self.first

    def box(self, value: Any) -> None:
        self.content["annotations"][0]["bbox"] = value


def coco(root: Path) -> Coco:
    (root / "train" / "data").mkdir(parents=True)
    for number in range(6):
        picture(number).save(root / "train" / "data" / f"{number}.jpg", quality=95)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 64} for n in range(6)]
    annotations = [{"id": n, "image_id": n, "category_id": 1, "bbox": BOX} for n in range(6)]
    categories = [{"id": 1, "name": "thing"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return Coco(root / "train", content)


Edit = Callable[[Coco], Any]


def cut(data: Coco, share: float) -> None:
    content = data.first.read_bytes()
    data.first.write_bytes(content[: int(len(content) * share)])


def progressive(data: Coco) -> None:
    picture().save(data.first, progressive=True)
    cut(data, 0.7)


def turned(data: Coco, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture().save(data.first, exif=exif)


def broken_exif(data: Coco) -> None:
    picture().save(data.first, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def bomb(data: Coco) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )
    data.name(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def wrong_checksum(data: Coco) -> None:
    picture().save(file := data.name(".png"))
    content = bytearray(file.read_bytes())
    content[-20] ^= 0xFF
    file.write_bytes(content)


def sixteen_bits(data: Coco) -> None:
    grey = np.asarray(picture(mode="L"), np.uint16) * 257
    Image.fromarray(grey).save(data.name(".png"))


def frames(data: Coco, suffix: str) -> None:
    others = [picture(8), picture(9)]
    picture().save(data.name(suffix), save_all=True, append_images=others, duration=50)


def replaced(data: Coco, how: Callable[[Path], Any]) -> None:
    file = data.first
    file.unlink()
    how(file)


def image_row(**changes: Any) -> Edit:
    return lambda data: data.content["images"][0].update(changes)


def annotation(**changes: Any) -> Edit:
    return lambda data: data.content["annotations"][0].update(changes)


def twice(data: Coco, key: str, **changes: Any) -> None:
    data.content[key].append({**data.content[key][0], **changes})


def saved(mode: str, suffix: str) -> Edit:
    return lambda data: picture(mode=mode).save(data.name(suffix))


ANEW = "written anew"
UPRIGHT = "turned upright"
MENDED: dict[str, tuple[Edit, str]] = {
    "CMYK": (saved("CMYK", ".jpg"), ANEW),
    "16 bits": (sixteen_bits, ANEW),
    "grey with alpha": (saved("LA", ".png"), ANEW),
    "palette": (saved("P", ".png"), ANEW),
    "one bit": (saved("1", ".png"), ANEW),
    "colour with alpha": (saved("RGBA", ".png"), ANEW),
    "TIFF": (saved("RGB", ".tif"), ANEW),
    "animated GIF": (lambda d: frames(d, ".gif"), ANEW),
    "animated PNG": (lambda d: frames(d, ".png"), ANEW),
    "animated WebP": (lambda d: frames(d, ".webp"), ANEW),
    "pages of a TIFF": (lambda d: frames(d, ".tiff"), ANEW),
    **{
        f"turned by EXIF, {n}": (lambda d, n=n: turned(d, n), "turned upright") for n in range(2, 9)
    },  # type: ignore[misc]
    "no size written": (image_row(width=None), "no size was written down"),
    "size 0": (image_row(width=0, height=0), "no size was written down"),
    "box sticks out": (lambda d: d.box([-10, 5, 30, 30]), "stuck out of the picture: clipped"),
}


def rename_only(data: Coco) -> None:
    old = data.first
    data.content["images"][0]["file_name"] = "0.png"
    old.rename(data.first)


def in_subfolder(data: Coco) -> None:
    (data.folder / "data" / "deep").mkdir()
    data.first.rename(data.folder / "data" / "deep" / "0.jpg")
    data.content["images"][0]["file_name"] = "deep\\0.jpg"


SILENT: dict[str, Edit] = {
    "broken EXIF": broken_exif,
    "wrong suffix": rename_only,
    "size as text": image_row(width="64", height=64.0),
    "ids as text": lambda d: (image_row(id="0")(d), annotation(image_id="0")(d)),
    "backslashes in a name": in_subfolder,
    "mask without a box": annotation(
        bbox=None,
        # 5 columns and 5 pixels; then 20 columns of 20 pixels, 44 apart; then the rest.
        segmentation={"size": [64, 64], "counts": [325, *([20, 44] * 19), 20, 39 + 39 * 64]},
    ),
    "outline without a box": annotation(
        bbox=None, segmentation=[[5, 5, 25, 5, 25, 25], [5, 25, 6, 24, 5, 23]]
    ),
}
NO_PICTURE: dict[str, tuple[Edit, str]] = {
    "truncated": (lambda d: cut(d, 0.5), "broken or cut off"),
    "truncated, progressive": (progressive, "broken or cut off"),
    "header alone": (lambda d: cut(d, 0.02), "broken|isn't a picture"),
    "zero bytes": (lambda d: d.first.write_bytes(b""), "the file is empty"),
    "a web page": (lambda d: d.first.write_text("<html>"), "isn't a picture"),
    "too many pixels": (bomb, "too many pixels"),
    "wrong checksum": (wrong_checksum, "broken or cut off"),
    "a folder": (lambda d: replaced(d, Path.mkdir), "Is a directory"),
    "missing": (lambda d: d.first.unlink(), "the file is missing"),
    "link to itself": (lambda d: replaced(d, lambda f: f.symlink_to(f)), "symbolic links"),
    "link to nothing": (lambda d: replaced(d, lambda f: f.symlink_to("/nowhere")), "is missing"),
    "name leads out": (image_row(file_name="../../x.jpg"), "leads out of the dataset"),
    "absolute name": (image_row(file_name="/etc/passwd"), "leads out of the dataset"),
    "NUL in a name": (image_row(file_name="a\0b.jpg"), "none that a file can have"),
    "name too long": (image_row(file_name="a" * 5000), "can't be read|none that a file"),
    "no name": (image_row(file_name=None), "needs a whole number as id and a file name"),
    "id is no number": (image_row(id="first"), "needs a whole number as id"),
    "another size": (image_row(width=99), "its annotation says 99x64 pixels, the file has 64x64"),
}
NO_BOX: dict[str, tuple[Edit, str]] = {
    "NaN": (lambda d: d.box([float("nan"), 5, 20, 20]), "isn't made of finite numbers"),
    "infinite": (lambda d: d.box([5, 5, float("inf"), 20]), "isn't made of finite numbers"),
    "too long for a float": (lambda d: d.box([5, 5, 10**400, 20]), "finite numbers"),
    "negative size": (lambda d: d.box([25, 25, -20, -20]), "swapped or a negative size"),
    "no size": (lambda d: d.box([5, 5, 0, 0]), "is empty"),
    "outside": (lambda d: d.box([100, 100, 20, 20]), "lies outside the picture"),
    "one pixel": (lambda d: d.box([5, 5, 1, 1]), "is smaller than 2 pixels"),
    "text": (lambda d: d.box(["5", "5", "20", "20"]), "isn't four numbers"),
    "three numbers": (lambda d: d.box([5, 5, 20]), "isn't four numbers"),
    "no box": (lambda d: d.box(None), "isn't four numbers"),
    "unknown class": (annotation(category_id=9), "unknown class id 9"),
    "unknown picture": (annotation(image_id=77), "belongs to picture 77, which isn't listed"),
    "empty mask": (
        annotation(bbox=None, segmentation={"size": [64, 64], "counts": [4096]}),
        "its mask is empty",
    ),
    "mask of another size": (
        annotation(bbox=None, segmentation={"size": [64, 64], "counts": [10, 10]}),
        "runs cover 20 pixels of 4096",
    ),
    "mask cut off": (
        annotation(bbox=None, segmentation={"size": [64, 64], "counts": "o"}),
        "run lengths are cut off",
    ),
}
EXTRA: dict[str, tuple[Edit, str]] = {
    "picture listed twice": (lambda d: twice(d, "images"), "its id occurred before"),
    "file listed twice": (lambda d: twice(d, "images", id=88), "the same file was listed before"),
    "annotation listed twice": (lambda d: twice(d, "annotations"), "its id occurred before"),
    "the same box twice": (lambda d: twice(d, "annotations", id=99), "is there twice"),
    "class without a name": (
        lambda d: d.content["categories"].append({"id": 2, "name": ""}),
        "a whole number as id and a printable name",
    ),
}


def go(tmp_path: Path, edit: Edit) -> tuple[dict[str, Any], list[list[float]], int]:
    """Findings, the boxes of the damaged picture, and the number of pictures."""
    data = coco(tmp_path / "raw")
    edit(data)
    (data.folder / "labels.json").write_text(json.dumps(data.content))
    options = PrepareOptions.model_validate({"split": {"ratios": [1, 0, 0]}, "previews": 2})
    result = prepare(tmp_path / "raw", tmp_path / "set", options, Silence())
    findings = json.loads((tmp_path / "set" / "rejected.json").read_text())
    labels = json.loads((tmp_path / "set" / "train" / "labels.json").read_text())
    damaged = [row["id"] for row in labels["images"] if row["file_name"].startswith("0.")]
    boxes = [a["bbox"] for a in labels["annotations"] if a["image_id"] in damaged]
    for row in labels["images"]:  # all that is let through can be read to its end
        with Image.open(tmp_path / "set" / "train" / "data" / row["file_name"]) as opened:
            assert opened.convert("RGB").size == (64, 64)
    return findings, boxes, result.pictures["train"]


def reasons(rows: list[dict[str, str]]) -> list[str]:
    return [row["reason"] for row in rows]


@pytest.mark.parametrize("case", MENDED)
def test_what_can_be_mended_is_and_is_listed(tmp_path: Path, case: str) -> None:
    edit, reason = MENDED[case]
    findings, boxes, pictures = go(tmp_path, edit)
    assert pictures == 6
    assert findings["rejected"] == []
    assert [reason in one for one in reasons(findings["mended"])] == [True]
    assert boxes == ([[0, 5, 20, 30]] if case == "box sticks out" else [BOX])


@pytest.mark.parametrize("case", SILENT)
def test_what_can_be_read_all_the_same_is(tmp_path: Path, case: str) -> None:
    findings, boxes, pictures = go(tmp_path, SILENT[case])
    assert (findings["rejected"], findings["mended"], pictures) == ([], [], 6)
    assert boxes == [BOX]


@pytest.mark.parametrize("case", NO_PICTURE)
def test_a_picture_that_is_none_is_set_aside(tmp_path: Path, case: str) -> None:
    edit, reason = NO_PICTURE[case]
    findings, boxes, pictures = go(tmp_path, edit)
    assert (pictures, boxes) == (5, [])
    assert any(re.search(reason, one) for one in reasons(findings["rejected"]))


@pytest.mark.parametrize("case", NO_BOX)
def test_a_box_that_is_none_is_set_aside_and_its_picture_stays(tmp_path: Path, case: str) -> None:
    edit, reason = NO_BOX[case]
    findings, boxes, pictures = go(tmp_path, edit)
    assert (pictures, boxes) == (6, [])
    (found,) = reasons(findings["rejected"])
    assert reason in found


@pytest.mark.parametrize("case", EXTRA)
def test_what_is_there_twice_or_superfluous_is_set_aside(tmp_path: Path, case: str) -> None:
    edit, reason = EXTRA[case]
    findings, boxes, pictures = go(tmp_path, edit)
    assert (pictures, boxes) == (6, [BOX])
    (found,) = reasons(findings["rejected"])
    assert reason in found


PLAIN = json.dumps(
    {"images": [], "annotations": [], "categories": [{"id": 1, "name": "caf\u00e9"}]},
    ensure_ascii=False,
)
UNREADABLE = {
    "latin-1": (PLAIN.encode("latin-1"), "train/labels.json isn't UTF-8 text"),
    "cut off": (PLAIN[:-5].encode(), "train/labels.json isn't JSON"),
    "empty": (b"", "train/labels.json isn't JSON"),
    "a list": (b"[]", "has no list 'images'"),
    "nested without end": (b"[" * 200_000, "train/labels.json isn't JSON"),
    "no classes": (b'{"images": [], "annotations": [], "categories": []}', "names no class"),
    "one id for two classes": (
        b'{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, '
        b'{"id": 1, "name": "b"}]}',
        "the categories 'a' and 'b' have the same id 1",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_the_whole_set_hangs_on_is_one_clear_line(tmp_path: Path, case: str) -> None:
    content, line = UNREADABLE[case]
    data = coco(tmp_path / "raw")
    (data.folder / "labels.json").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        prepare(tmp_path / "raw", tmp_path / "set", PrepareOptions(), Silence())
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_unicode_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    data = coco(tmp_path / "raw")
    data.content["categories"][0]["name"] = "café"
    text = json.dumps(data.content, ensure_ascii=False)
    (data.folder / "labels.json").write_bytes(text.encode(encoding))
    options = PrepareOptions.model_validate({"split": {"ratios": [1, 0, 0]}})
    result = prepare(tmp_path / "raw", tmp_path / "set", options, Silence())
    assert (result.classes, result.pictures["train"]) == (("café",), 6)


def test_a_picture_that_may_not_be_read_is_set_aside(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    findings, _, pictures = go(tmp_path, lambda data: data.first.chmod(0))
    assert pictures == 5
    assert "Permission denied" in reasons(findings["rejected"])[0]


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    """A dark picture must stay darker than a light one."""
    data = coco(tmp_path / "raw")
    for name, level in (("dark", 2_000), ("light", 60_000)):
        pixels = np.full((64, 64), level, np.uint16)
        pixels[::2, ::2] += 900
        Image.fromarray(pixels).save(data.folder / "data" / f"{name}.png")
        row = {"id": len(data.content["images"]), "file_name": f"{name}.png"}
        data.content["images"].append(row)
    (data.folder / "labels.json").write_text(json.dumps(data.content))
    options = PrepareOptions.model_validate({"split": {"ratios": [1, 0, 0]}})
    prepare(tmp_path / "raw", tmp_path / "set", options, Silence())
    levels = [
        int(np.asarray(Image.open(tmp_path / "set" / "train" / "data" / f"{name}.png"))[1, 1, 0])
        for name in ("dark", "light")
    ]
    assert levels == [round(2_000 / 257), round(60_000 / 257)]
