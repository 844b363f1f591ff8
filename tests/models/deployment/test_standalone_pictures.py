"""What a shipped model reads of a picture file is what `predict` reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.data.pictures import plain_rgb
from models.deployment.standalone.pictures import find_pictures, read_picture

INK = np.zeros((60, 80, 4), np.uint8)
"""Black below all that can't be seen through, and below the rest too, as programs write it."""
INK[20:40, 10:50, 3] = 255
INK[30:35, 60:70, 3] = 128
SHEET = Image.fromarray(INK)
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("suffix", "picture", "more"),
    [
        ("png", SHEET, {}),
        ("png", SHEET.convert("LA"), {}),
        ("png", SHEET.convert("L").convert("P"), {"transparency": 0}),
        ("png", SHEET.convert("RGB"), {"transparency": (0, 0, 0)}),
        ("png", SHEET.convert("RGB"), {}),
        ("webp", SHEET, {"lossless": True}),
        ("tiff", SHEET, {}),
        ("jpg", SHEET.convert("RGB"), {"exif": TURNED}),
    ],
    ids=["rgba", "grey", "palette", "one colour", "opaque", "webp", "tiff", "turned"],
)
def test_transparent_parts_are_white(
    suffix: str, picture: Image.Image, more: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / f"ink.{suffix}"
    picture.save(file, **more)
    expected = np.asarray(plain_rgb(Image.open(file)))
    assert (read_picture(file) == expected).all()
    assert (
        expected[0, 0] == (0 if picture.mode == "RGB" and "transparency" not in more else 255)
    ).all()


def test_hidden_files_are_passed_over_unless_named(tmp_path: Path) -> None:
    for name in ("a.jpg", "._a.jpg", "sub/b.PNG", ".thumbnails/a.jpg", "sub/.cache/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [below.as_posix() for _, below in find_pictures([str(tmp_path)])]
    assert found == ["a.jpg", "sub/b.PNG"]
    hidden = tmp_path / "._a.jpg"
    assert list(find_pictures([str(hidden)])) == [(hidden, Path("._a.jpg"))]
    inside = tmp_path / ".thumbnails"
    assert [below.name for _, below in find_pictures([str(inside)])] == ["a.jpg"]
