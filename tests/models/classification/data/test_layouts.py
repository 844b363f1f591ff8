"""Class folders and tables, in the ways people have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.classification.data.formats import read, recognise
from models.families import family

PIXEL = b"\x89PNG"  # layouts are told by names; pictures are read later

ONE_AND_TWO = {"test": 2, "train": 1}


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PIXEL)
    return root


def found(folder: Path) -> dict[str, dict[str, list[str]]]:
    raw = read(folder)
    return {
        split: {one.name: [raw.classes[i] for i in one.labels] for one in pictures}
        for split, pictures in raw.splits.items()
    }


@pytest.mark.parametrize(
    ("names", "splits", "classes"),
    [
        (["cat/1.jpg", "dog/1.JPG"], {"all": 2}, ["cat", "dog"]),
        (["10/a.png", "2/a.png", "1/a.png"], {"all": 3}, ["1", "2", "10"]),
        (
            ["Rice_Image_Dataset/Arborio/Arborio (1).jpg", "Rice_Image_Dataset/Ipsala/b (1).jpg"],
            {"all": 2},
            ["Arborio", "Ipsala"],
        ),
        (["train/a/1.jpg", "train/b/1.jpg", "valid/a/2.jpg"], {"train": 2, "val": 1}, ["a", "b"]),
        (["cat/tabby/1.jpg", "cat/black/1.jpg", "dog/1.jpg"], {"all": 3}, None),
        (["deep/deeper/a/1.jpg", "deep/deeper/b/1.jpg"], {"all": 2}, ["a", "b"]),
        (["a/1.jpg", "b/1.jpg", "__MACOSX/a/1.jpg", "b/.hidden.jpg"], {"all": 2}, ["a", "b"]),
        (["train/a/1.jpg", "test/a/2.jpg", "test/b/2.jpg", "pred/3.jpg"], ONE_AND_TWO, ["a", "b"]),
        (
            [
                "seg_train/seg_train/a/1.jpg",
                "seg_test/seg_test/a/2.jpg",
                "seg_test/seg_test/b/2.jpg",
            ],
            ONE_AND_TWO,
            ["a", "b"],
        ),
        (["train/steam/1.jpg", "car/1.jpg"], {"all": 2}, ["car", "train/steam"]),
        (["плитка/1.jpg", "a b/1.jpg"], {"all": 2}, ["a b", "плитка"]),
    ],
)
def test_class_folders(
    tmp_path: Path, names: list[str], splits: dict[str, int], classes: list[str] | None
) -> None:
    lay(tmp_path, *names)
    assert recognise(tmp_path) == "folders"
    raw = read(tmp_path)
    assert {split: len(pictures) for split, pictures in raw.splits.items()} == splits
    assert raw.classes == (classes or ["cat/black", "cat/tabby", "dog"])


def test_linked_class_folders_count_too(tmp_path: Path) -> None:
    lay(tmp_path / "elsewhere", "1.jpg", "deep/2.jpg")
    root = lay(tmp_path / "data", "cat/1.jpg")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "back").symlink_to(root)
    assert set(found(root)["all"]) >= {"cat/1.jpg", "dog/1.jpg", "dog/deep/2.jpg"}
    assert not any("back" in name for name in found(root)["all"])


@pytest.mark.parametrize(
    "names",
    [
        ["1.jpg", "2.jpg"],
        ["only/1.jpg"],
        ["images/1.jpg", "labels/1.txt"],
        ["a/readme.txt", "b/readme.txt"],
    ],
)
def test_what_is_none(tmp_path: Path, names: list[str]) -> None:
    assert recognise(lay(tmp_path, *names)) is None
    with pytest.raises(ValueError, match="expected a folder of pictures for each class"):
        read(tmp_path)


def test_boxes_are_left_to_detection(tmp_path: Path) -> None:
    lay(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "all.json").write_text(json.dumps({"annotations": [{"bbox": [1, 2, 3, 4]}]}))
    assert recognise(tmp_path) is None
    assert family("classification").recognise(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,class\na.jpg,cat\nb.jpg,dog\n", {"all": {"a.jpg": ["cat"], "b.jpg": ["dog"]}}),
        ("filename\tlabel\na.jpg\t007\nb.jpg\t7\n", {"all": {"a.jpg": ["007"], "b.jpg": ["7"]}}),
        (
            "Image;Label;Split\na.jpg;x;train\nb.jpg;y;validation\n",
            {"train": {"a.jpg": ["x"]}, "val": {"b.jpg": ["y"]}},
        ),
        ("\ufefffile,class\na.jpg,x|y\nb.jpg,\n", {"all": {"a.jpg": ["x", "y"], "b.jpg": []}}),
        ("file,class\na.jpg,x\na.jpg,y\nb.jpg,y\n", {"all": {"a.jpg": ["x", "y"], "b.jpg": ["y"]}}),
        (
            "file,sun,rain\na.jpg,1,0\nb.jpg,1,1\n",
            {"all": {"a.jpg": ["sun"], "b.jpg": ["sun", "rain"]}},
        ),
        (
            'file,class\n"a.jpg","one, two"\nb.jpg,three\n',
            {"all": {"a.jpg": ["one, two"], "b.jpg": ["three"]}},
        ),
    ],
)
def test_tables(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    lay(tmp_path, "images/a.jpg", "b.jpg")
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    assert recognise(tmp_path) == "table"
    assert found(tmp_path) == expected
    assert all(one.file.is_file() for many in read(tmp_path).splits.values() for one in many)


def test_a_table_for_each_split(tmp_path: Path) -> None:
    lay(tmp_path, "train/a.jpg", "test/b.jpg")
    for split, name in (("train", "a"), ("test", "b")):
        (tmp_path / f"{split}.csv").write_text(f"file,class\n{name}.jpg,x\n")
    assert found(tmp_path) == {"test": {"b.jpg": ["x"]}, "train": {"a.jpg": ["x"]}}


def test_numbers_that_train_and_test_share_mean_each_its_own(tmp_path: Path) -> None:
    lay(tmp_path, "train/1.jpg", "train/2.jpg", "test/1.jpg")
    (tmp_path / "train.csv").write_text("file,class\n1.jpg,x\n2.jpg,y\n")
    (tmp_path / "test.csv").write_text("file,class\n1.jpg,y\n")
    raw = read(tmp_path)
    assert not raw.rejected
    files = {
        split: {one.file.relative_to(tmp_path).as_posix() for one in pictures}
        for split, pictures in raw.splits.items()
    }
    assert files == {"test": {"test/1.jpg"}, "train": {"train/1.jpg", "train/2.jpg"}}
    assert len({one.name for pictures in raw.splits.values() for one in pictures}) == 3


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "train.csv").write_text("file,class\na.jpg,x\n")
    (tmp_path / "val.csv").write_bytes(b"file,class\nb.jpg,K\xe4se\n")
    assert list(found(tmp_path)) == ["train"]
    told = "val.csv was passed over: val.csv isn't UTF-8 text: save it as UTF-8"
    assert read(tmp_path).notes == [told]


def test_rows_without_a_split_are_for_training(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "t.csv").write_text("file,class,split\na.jpg,x,train\nb.jpg,y,val\nc.jpg,y,\n")
    assert found(tmp_path) == {
        "train": {"a.jpg": ["x"], "c.jpg": ["y"]},
        "val": {"b.jpg": ["y"]},
    }
    assert read(tmp_path).notes == ["1 pictures have no split: they are taken for train"]


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "train/a/1.jpg", "val/a/2.jpg", "valid/a/3.jpg")
    with pytest.raises(ValueError, match="val and valid are both called like the split val"):
        read(tmp_path)


def test_names_never_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(PIXEL)
    root = lay(tmp_path / "data", "a.jpg")
    (root / "t.csv").write_text(f"file,class\na.jpg,x\n../secret.jpg,y\n{tmp_path}/secret.jpg,y\n")
    for many in read(root).splits.values():
        assert all(one.file.is_relative_to(root) for one in many)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("file,class,split\na.jpg,x,later\n", "line 2: 'later' is no split"),
        ('file,class\na.jpg,"x\nx/1.jpg,y\n', "line 2: a quote is opened and not closed"),
        ('file,class\na.jpg,x\nx/1.jpg,"' + "y\n" * 70000, "line 3: .* a quote is opened"),
        ("file,class\na.jpg,\xff\n", "isn't UTF-8"),
    ],
)
def test_a_wrong_table_gets_one_line(tmp_path: Path, text: str, line: str) -> None:
    lay(tmp_path, "a.jpg", "x/1.jpg", "y/1.jpg")
    (tmp_path / "t.csv").write_text("file,class\na.jpg,x\n")
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    if "UTF-8" in line:
        assert recognise(tmp_path) == "folders"  # what can't be read is no table
        return
    with pytest.raises(ValueError, match=line):
        read(tmp_path)


def test_a_file_in_two_splits_is_set_aside(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "t.csv").write_text(
        "file,class,split\na.jpg,x,train\nb.jpg,y,train\na.jpg,x,test\n"
    )
    assert [one.reason for one in read(tmp_path).rejected] == ["is in two splits, train and test"]
