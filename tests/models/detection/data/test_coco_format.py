import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.detection.data.formats import read, recognise


def content(**changes: Any) -> dict[str, Any]:
    base = {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 100, "height": 50},
            {"id": 9, "file_name": "sub/b c.jpg", "width": 100, "height": 50},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [10, 20, 30, 5]},
            {"id": 2, "image_id": 9, "category_id": 3, "bbox": [0.5, 0, 1.25, 2], "iscrowd": 1},
        ],
        "categories": [{"id": 3, "name": "кошка"}, {"id": 90, "name": "traffic light"}],
    }
    return base | changes


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


LAYOUTS = {
    "data + labels": ("train/labels.json", "train/data/a.jpg"),
    "no data folder": ("train/labels.json", "train/a.jpg"),
    "roboflow": ("train/_annotations.coco.json", "train/a.jpg"),
    "roboflow, valid": ("valid/_annotations.coco.json", "valid/a.jpg"),
    "unsplit": ("labels.json", "data/a.jpg"),
    "unsplit roboflow": ("_annotations.coco.json", "a.jpg"),
    "one deeper": ("my set/train/labels.json", "my set/train/data/a.jpg"),
    "two deeper": ("a/b/train/labels.json", "a/b/train/data/a.jpg"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    labels, picture = LAYOUTS[layout]
    write(tmp_path / labels, content())
    (tmp_path / picture).parent.mkdir(exist_ok=True)
    (tmp_path / picture).write_bytes(b"x")
    (tmp_path / "__MACOSX" / "train").mkdir(parents=True)
    write(tmp_path / "__MACOSX" / "train" / "labels.json", "not this one")
    assert recognise(tmp_path) == "coco"
    raw = read(tmp_path)
    split = {"roboflow, valid": "val"}.get(layout, "all" if "unsplit" in layout else "train")
    assert list(raw.splits) == [split]
    first, second = raw.splits[split]
    assert first.file == tmp_path / picture
    assert first.boxes.tolist() == [[10, 20, 40, 25]]
    assert second.boxes.tolist() == [[0.5, 0, 1.75, 2]]
    assert second.name.endswith("sub/b c.jpg")
    assert second.crowd.tolist() == [True]
    assert raw.classes == ["кошка", "traffic light"]
    assert raw.category_ids == [3, 90]
    assert [first.labels.tolist(), second.labels.tolist()] == [[1], [0]]
    assert raw.rejected == []


def test_splits_are_joined_by_class_name(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        write(tmp_path / split / "labels.json", content())
    swapped = content(categories=[{"id": 90, "name": "кошка"}, {"id": 3, "name": "new"}])
    write(tmp_path / "valid" / "labels.json", swapped)
    raw = read(tmp_path)
    assert list(raw.splits) == ["test", "train", "val"]
    assert raw.classes == ["кошка", "traffic light", "new"]
    assert raw.category_ids == [3, 90, 91]
    assert [picture.labels.tolist() for picture in raw.splits["val"]] == [[0], [2]]


def test_roboflows_placeholder_class_is_left_out(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "barcodes", "supercategory": "none"},
        {"id": 3, "name": "EAN", "supercategory": "barcodes"},
        {"id": 90, "name": "QR", "supercategory": "barcodes"},
    ]
    write(tmp_path / "train" / "_annotations.coco.json", content(categories=categories))
    assert read(tmp_path).classes == ["EAN", "QR"]


ODD = {
    "unknown class": (
        {"annotations": [{"id": 1, "image_id": 7, "category_id": 4, "bbox": [1, 1, 2, 2]}]},
        "unknown class id 4",
    ),
    "unknown picture": (
        {"annotations": [{"id": 1, "image_id": 8, "category_id": 3, "bbox": [1, 1, 2, 2]}]},
        "picture 8, which isn't listed",
    ),
    "no box": (
        {"annotations": [{"id": 1, "image_id": 7, "category_id": 3}]},
        "isn't four numbers",
    ),
    "three numbers": (
        {"annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]},
        "isn't four numbers",
    ),
    "text in a box": (
        {"annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, "4"]}]},
        "isn't four numbers",
    ),
    "annotation id twice": (
        {
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 1, 2, 2]},
                {"id": 1, "image_id": 7, "category_id": 3, "bbox": [5, 5, 2, 2]},
            ]
        },
        "annotation 1: its id occurred before",
    ),
    "picture id twice": (
        {
            "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}],
            "annotations": [],
        },
        r"picture 7 \(b.jpg\): its id occurred before",
    ),
    "file twice": (
        {
            "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "./a.jpg"}],
            "annotations": [],
        },
        "the same file was listed before",
    ),
    "path out of the set": (
        {"images": [{"id": 7, "file_name": "../../etc/passwd.jpg"}], "annotations": []},
        "leads out of the dataset",
    ),
    "no file name": ({"images": [{"id": 7}], "annotations": []}, "a file name"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_entries_are_set_aside_with_the_reason(tmp_path: Path, case: str) -> None:
    changes, reason = ODD[case]
    write(tmp_path / "train" / "labels.json", content(**changes))
    raw = read(tmp_path)
    assert len(raw.rejected) == 1
    line = f"{raw.rejected[0].item}: {raw.rejected[0].reason}"
    assert line.startswith("train/labels.json: ")
    assert re.search(reason, line)


BROKEN = {
    "no json": ("{", "train/labels.json isn't JSON"),
    "a list": ([], "no list 'images'"),
    "no categories": ({"images": [], "annotations": []}, "no list 'categories'"),
    "id twice": (
        content(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
        "the categories 'a' and 'b' have the same id 1",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_one_clear_line(tmp_path: Path, case: str) -> None:
    value, match = BROKEN[case]
    write(tmp_path / "train" / "labels.json", value)
    with pytest.raises(ValueError, match=match) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


def test_a_box_is_taken_from_the_outline(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[1, 2, 8, 4, 3, 9]]}
    write(tmp_path / "train" / "labels.json", content(annotations=[row]))
    assert read(tmp_path).splits["train"][0].boxes.tolist() == [[1, 2, 8, 9]]


def test_numbers_json_allows_but_boxes_dont(tmp_path: Path) -> None:
    text = json.dumps(content()).replace("[10, 20, 30, 5]", "[NaN, 20, Infinity, 5]")
    write(tmp_path / "train" / "labels.json", text)
    boxes = read(tmp_path).splits["train"][0].boxes
    assert not np.isfinite(boxes).all()


def test_folders_that_arent_datasets(tmp_path: Path) -> None:
    assert recognise(tmp_path) is None
    with pytest.raises(ValueError, match="no known annotations"):
        read(tmp_path)
    assert recognise(tmp_path / "missing") is None
    for name in ("one", "two"):
        write(tmp_path / name / "train" / "labels.json", content())
    with pytest.raises(ValueError, match="several datasets"):
        recognise(tmp_path)
