"""Annotation files with random damage: prepared, or refused with one line; never a traceback."""

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.reporting import Silence

ODD: list[Any] = [
    None, True, -1, 0, 1e308, -0.5, math.nan, math.inf, 2**70, "", "x", "\0", "../x", "a" * 300,
    "é\ud800", [], [[]], {}, {"id": 1}, [1, 2], [None] * 4, ["1", "2", "3", "4"], [[1, 2, 3]],
]  # fmt: skip


def content() -> dict[str, Any]:
    return {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in range(1, 6)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": 1 + i % 5,
                "category_id": 1 + i % 2,
                "bbox": [i, i, 10, 10],
                "segmentation": [[1, 1, 5, 5, 1, 5]],
                "iscrowd": 0,
            }
            for i in range(1, 11)
        ],
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "x"},
            {"id": 2, "name": "dog", "supercategory": "x"},
        ],
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in children:
        found += places(child, (*path, key))
    return found


def damage(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        *way, last = rng.choice(places(value))
        owner = value
        for key in way:
            owner = owner[key]
        if rng.random() < 0.25:
            del owner[last]
        else:
            owner[last] = copy.deepcopy(rng.choice(ODD))
    return value


def check(folder: Path, target: Path) -> bool:
    try:
        prepare(folder, target, PrepareOptions(previews=1), Silence())
    except ValueError as error:
        assert "\n" not in str(error), error
        assert not isinstance(error, UnicodeError), error
        return False
    about = json.loads((target / "dataset.json").read_text(encoding="utf-8"))
    for split in ("train", "val", "test"):
        labels = json.loads((target / split / "labels.json").read_text(encoding="utf-8"))
        sizes = {row["id"]: (row["width"], row["height"]) for row in labels["images"]}
        assert len(sizes) == about["pictures"][split]
        for row in labels["annotations"]:
            x, y, wide, tall = row["bbox"]
            width, height = sizes[row["image_id"]]
            assert 0 <= x < x + wide <= width
            assert 0 <= y < y + tall <= height
            assert row["category_id"] in about["category_ids"]
    return True


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for i in range(1, 6):
        image = np.random.default_rng(i).integers(0, 256, (30, 40, 3), np.uint8)
        cv2.imwrite(str(folder / f"{i}.jpg"), image)


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(range(20, 600), marks=pytest.mark.slow)], ids=str
)
def test_damaged_coco(tmp_path: Path, seeds: range) -> None:
    pictures(tmp_path / "set" / "data")
    good = 0
    for seed in seeds:
        text = json.dumps(damage(content(), random.Random(seed)))
        (tmp_path / "set" / "labels.json").write_text(text)
        good += check(tmp_path / "set", tmp_path / "target")
    assert good > len(seeds) / 3


DOCUMENT = """<annotation><filename>{i}.jpg</filename>
<size><width>40</width><height>30</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult>
<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>20</xmax><ymax>25</ymax></bndbox></object>
<object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>40</xmax><ymax>30</ymax>
</bndbox></object></annotation>"""


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(range(20, 600), marks=pytest.mark.slow)], ids=str
)
def test_damaged_voc(tmp_path: Path, seeds: range) -> None:
    pictures(tmp_path / "set" / "JPEGImages")
    (tmp_path / "set" / "Annotations").mkdir()
    good = 0
    for seed in seeds:
        rng = random.Random(seed)
        for i in range(1, 6):
            raw = bytearray(DOCUMENT.format(i=i).encode())
            if i < 3:
                for _ in range(rng.randint(1, 4)):
                    at = rng.randrange(len(raw))
                    piece = rng.choice([b"", b"-", b"9", b"\xff", b"<", b"\xf0\x9f\x90\x88", b"e"])
                    raw[at : at + rng.randint(0, 3)] = piece
            (tmp_path / "set" / "Annotations" / f"{i}.xml").write_bytes(raw)
        good += check(tmp_path / "set", tmp_path / "target")
    assert good == len(seeds)
