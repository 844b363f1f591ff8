"""Annotations in layouts that people have, though no format describes them."""

from __future__ import annotations

# ruff: noqa: E501 - layouts are easier to compare with one file list a line
import json
from pathlib import Path

import pytest

from models.data.splits import split_in
from models.detection.data.formats import read, recognise

XML = (
    "<annotation><filename>{name}</filename><size><width>100</width><height>50</height></size>"
    "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax>"
    "</bndbox></object></annotation>"
)


def coco(*names: str, boxes: bool = True) -> str:
    rows = [{"id": i, "file_name": n, "width": 100, "height": 50} for i, n in enumerate(names)]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [0, 0, 10, 10]}
        for i, _ in enumerate(names)
    ]
    return json.dumps(
        {
            "images": rows,
            "annotations": annotations if boxes else [],
            "categories": [{"id": 1, "name": "cat"}],
        }
    )


def lay(folder: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" if text is None else text)


COCO = {
    "COCO's own": (
        {
            "annotations/instances_train2017.json": coco("1.jpg"),
            "annotations/instances_val2017.json": coco("2.jpg"),
            "annotations/captions_train2017.json": coco("1.jpg"),
            "annotations/person_keypoints_train2017.json": coco("1.jpg"),
            "annotations/image_info_test2017.json": coco("3.jpg", boxes=False),
            "train2017/1.jpg": None,
            "val2017/2.jpg": None,
            "val2017/1.jpg": None,
        },
        {"train": ["train2017/1.jpg"], "val": ["val2017/2.jpg"]},
    ),
    "COCO's own, pictures in a folder": (
        {
            "annotations/instances_train.json": coco("1.jpg"),
            "annotations/instances_val.json": coco("1.jpg"),
            "images/train/1.jpg": None,
            "images/val/1.jpg": None,
        },
        {"train": ["images/train/1.jpg"], "val": ["images/val/1.jpg"]},
    ),
    "splits beside one folder of pictures": (
        {"train.json": coco("1.jpg"), "test.json": coco("2.jpg"), "images/1.jpg": None, "images/2.jpg": None},
        {"train": ["images/1.jpg"], "test": ["images/2.jpg"]},
    ),
    "paths from the top": (
        {"annotations/train.json": coco("pictures/a/1.jpg"), "pictures/a/1.jpg": None},
        {"train": ["pictures/a/1.jpg"]},
    ),
    "one file": (
        {"set/result.json": coco("images/1.jpg"), "set/images/1.jpg": None, "set/notes.json": "{}"},
        {"all": ["set/images/1.jpg"]},
    ),
    "a labelling tool's paths": (
        {"result.json": coco("../../upload/4/1.jpg", "C:\\up\\2.jpg"), "images/1.jpg": None, "images/2.jpg": None},
        {"all": ["images/1.jpg", "images/2.jpg"]},
    ),
    "a file for each split's folder": (
        {"train/annotations.json": coco("1.jpg"), "train/images/1.jpg": None, "dev/annotations.json": coco("1.jpg"), "dev/images/1.jpg": None},
        {"train": ["train/images/1.jpg"], "val": ["dev/images/1.jpg"]},
    ),
    "all once more": (
        {"all.json": coco("1.jpg", "2.jpg"), "train.json": coco("1.jpg"), "val.json": coco("2.jpg"), "1.jpg": None, "2.jpg": None},
        {"train": ["1.jpg"], "val": ["2.jpg"]},
    ),
}  # fmt: skip
VOC = {
    "images and annotations": (
        {"annotations/a.xml": XML, "images/a.png": None, "images/b.png": None},
        {"all": ["images/a.png"]},
    ),
    "beside the pictures, by split": (
        {"train/a.xml": XML, "train/a.jpg": None, "valid/a.xml": XML, "valid/a.jpg": None},
        {"train": ["train/a.jpg"], "val": ["valid/a.jpg"]},
    ),
    "split below": (
        {
            "images/train/a.jpg": None,
            "images/test/a.jpg": None,
            "annotations/train/a.xml": XML,
            "annotations/test/a.xml": XML,
        },
        {"train": ["images/train/a.jpg"], "test": ["images/test/a.jpg"]},
    ),
    "split above": (
        {
            "train/images/a.jpg": None,
            "test/images/a.jpg": None,
            "train/annotations/a.xml": XML,
            "test/annotations/a.xml": XML,
        },
        {"train": ["train/images/a.jpg"], "test": ["test/images/a.jpg"]},
    ),
    "all in one folder": ({"a b.xml": XML, "a b.JPG": None}, {"all": ["a b.JPG"]}),
    "lists, other names": (
        {
            "ImageSets/Main/train.txt": "a\n",
            "ImageSets/Main/val.txt": "b\n",
            "xml/a.xml": XML,
            "xml/b.xml": XML,
            "img/a.jpg": None,
            "img/b.jpg": None,
        },
        {"train": ["img/a.jpg"], "val": ["img/b.jpg"]},
    ),
    "the name inside": (
        {"xml/1.xml": XML.format(name="C:\\x\\a.jpg"), "img/a.jpg": None, "xml/pom.xml": "<project/>"},
        {"all": ["img/a.jpg"]},
    ),
}  # fmt: skip


def found(folder: Path) -> dict[str, list[str]]:
    raw = read(folder)
    assert raw.classes == ["cat"]
    for pictures in raw.splits.values():
        for one in pictures:
            assert one.boxes.tolist() == [[0, 0, 10, 10]]
    return {split: [one.name for one in pictures] for split, pictures in raw.splits.items()}


@pytest.mark.parametrize("layout", COCO)
def test_coco(tmp_path: Path, layout: str) -> None:
    files, expected = COCO[layout]
    lay(tmp_path, files)
    assert recognise(tmp_path) == "coco"
    assert found(tmp_path) == expected


@pytest.mark.parametrize("layout", VOC)
def test_voc(tmp_path: Path, layout: str) -> None:
    files, expected = VOC[layout]
    lay(tmp_path, files)
    assert recognise(tmp_path) == "voc"
    assert found(tmp_path) == expected


def test_a_picture_without_annotations_is_named(tmp_path: Path) -> None:
    lay(tmp_path, VOC["images and annotations"][0])
    assert [one.item for one in read(tmp_path).rejected] == ["images/b.png"]


def test_files_that_are_left_out_are_named(tmp_path: Path) -> None:
    lay(tmp_path, COCO["COCO's own"][0])
    (note,) = read(tmp_path).notes
    assert note.startswith("not read: annotations/captions_train2017.json, annotations/image_info")


def test_two_files_for_one_split_are_one_clear_line(tmp_path: Path) -> None:
    lay(tmp_path, {"train.json": coco("1.jpg"), "old/train.json": coco("1.jpg"), "1.jpg": None})
    with pytest.raises(ValueError, match=r"old/train.json and train.json; say which with data\.tr"):
        read(tmp_path)


def test_known_layouts_come_first(tmp_path: Path) -> None:
    """A COCO file that lies in YOLO data is a copy, or another tool's."""
    lay(
        tmp_path,
        {
            "images/train/a.jpg": None,
            "labels/train/a.txt": "0 0.5 0.5 0.2 0.4\n",
            "classes.txt": "cat\n",
            "export.json": coco("a.jpg"),
        },
    )
    assert recognise(tmp_path) == "yolo"


def test_yolo_folders_that_speak_of_splits(tmp_path: Path) -> None:
    for split in ("train2017", "val2017"):
        lay(tmp_path, {f"images/{split}/a.jpg": None, f"labels/{split}/a.txt": "0 .5 .5 .2 .4\n"})
    assert recognise(tmp_path) == "yolo"
    assert list(read(tmp_path).splits) == ["train", "val"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train2017", "train"),
        ("instances_val2017", "val"),
        ("Validation-Set", "val"),
        ("test images", "test"),
        ("dev", "val"),
        ("trainval", None),
        ("train_val", None),
        ("latest", None),
        ("", None),
    ],
)
def test_names_that_speak_of_a_split(name: str, split: str | None) -> None:
    assert split_in(name) == split
