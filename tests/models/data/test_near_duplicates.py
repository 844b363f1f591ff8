"""Pictures that show nearly the same, and ones that only look alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from models.data.near_duplicates import NearDuplicate, find_near_duplicates
from models.data.pictures import check_picture


def scene(seed: int, side: int = 320) -> Image.Image:
    """Discs and bars on a ground that is lit unevenly."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.uniform(90, 200, (3, 4, 3)), (side, side * 3 // 4))
    picture = np.ascontiguousarray(ground.clip(0, 255).astype(np.uint8))
    for _ in range(12):
        x, y, r = (int(v) for v in rng.integers((0, 0, 8), (side, side, 40)))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        if rng.random() < 0.5:
            cv2.circle(picture, (x, y), r, colour, -1)
        else:
            cv2.rectangle(picture, (x, y), (x + r, y + 2 * r), colour, -1)
    return Image.fromarray(picture)


def found(files: list[Path]) -> list[NearDuplicate]:
    return find_near_duplicates(files, [check_picture(file) for file in files])


def again(picture: Image.Image, file: Path, quality: int) -> None:
    picture.save(file, quality=quality)


def shifted(picture: Image.Image, pixels: int) -> Image.Image:
    width, height = picture.size
    return picture.crop((pixels, pixels, width, height)).resize((width, height))


def turned(picture: Image.Image, file: Path) -> None:
    """Store it lying on its side, with the EXIF entry that puts it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(file, quality=95, exif=exif)


CHANGES: dict[str, Callable[[Image.Image, Path], None]] = {
    "coded anew": lambda p, f: again(p, f, 40),
    "half the size": lambda p, f: again(p.resize((160, 120)), f, 90),
    "twice the size": lambda p, f: again(p.resize((640, 480)), f, 90),
    "brighter": lambda p, f: again(ImageEnhance.Brightness(p).enhance(1.1), f, 90),
    "less contrast": lambda p, f: again(ImageEnhance.Contrast(p).enhance(0.7), f, 90),
    "grey": lambda p, f: again(p.convert("L"), f, 90),
    "moved by two pixels": lambda p, f: again(shifted(p, 2), f, 90),
    "lying on its side": turned,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(tmp_path: Path, change: str) -> None:
    files = []
    for seed in range(12):
        files.append(tmp_path / f"{seed}.jpg")
        again(scene(seed), files[-1], 90)
    files.append(tmp_path / "copy.jpg")
    CHANGES[change](scene(5), files[-1])
    assert [(one.first, one.second) for one in found(files)] == [(5, 12)]


def test_one_camera_with_other_objects_is_no_duplicate(tmp_path: Path) -> None:
    files = []
    for seed in range(8):
        picture = scene(0)
        rng = random.Random(seed)
        x, y = rng.randrange(20, 260), rng.randrange(20, 180)
        picture.paste(scene(seed + 50).resize((40, 40)), (x, y))
        files.append(tmp_path / f"{seed}.jpg")
        again(picture, files[-1], 90)
    assert found(files) == []


def test_blank_pictures_are_alike_only_if_their_bytes_are(tmp_path: Path) -> None:
    levels = (0, 10, 255, 255)
    files = [tmp_path / f"{index}.png" for index in range(4)]
    for file, level in zip(files, levels, strict=True):
        Image.new("RGB", (64, 64), (level,) * 3).save(file)
    assert found(files) == [NearDuplicate(2, 3, 0.0)]


def test_a_group_is_held_together_by_as_few_pairs_as_it_needs(tmp_path: Path) -> None:
    files = []
    for index in range(30):
        files.append(tmp_path / f"{index}.jpg")
        again(scene(index % 3), files[-1], 60 + index)
    pairs = found(files)
    assert len(pairs) == 27
    group = list(range(30))
    for pair in pairs:
        group = [group[pair.first] if one == group[pair.second] else one for one in group]
    assert len(set(group)) == 3
    assert all(group[index] == group[index % 3] for index in range(30))
