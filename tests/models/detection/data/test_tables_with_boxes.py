"""Tables with a row for each box, as the public barcode photos have one."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.detection.data.formats import read, recognise
from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.reporting import Silence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of 80x60."""
    (tmp_path / "raw" / "images").mkdir(parents=True)
    for number in range(3):
        image = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        place = tmp_path / "raw" / "images" / f"{number}.png"
        cv2.imwrite(str(place), cv2.resize(image, (80, 60)))
    return tmp_path / "raw"


HEADERS = {
    "public barcodes": ("filename\tcode\tx_from\ty_from\twidth\theight", "20\t10"),
    "two corners": ("filename\tcode\txmin\tymin\txmax\tymax", "30\t25"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_boxes_of_one_class(folder: Path, case: str) -> None:
    header, ends = HEADERS[case]
    rows = [f"images/{n}.png\t0{n}\t10\t15\t{ends}" for n in (0, 1, 1)]
    (folder / "annotations.tsv").write_text("\n".join([header, *rows]) + "\n")
    assert recognise(folder) == "table"
    raw = read(folder)
    assert raw.classes == ["object"]
    boxes = {one.name: one.boxes.tolist() for one in raw.splits["all"]}
    assert boxes == {
        "images/0.png": [[10, 15, 30, 25]],
        "images/1.png": [[10, 15, 30, 25], [10, 15, 30, 25]],
    }
    assert [bad.item for bad in raw.rejected] == ["images/2.png"]


def test_classes_splits_and_pictures_without_boxes(folder: Path, tmp_path: Path) -> None:
    (folder / "boxes.csv").write_text(
        "file,class,split,x,y,w,h\n"
        "images/0.png,zebra,train,1,2,30,20\nimages/0.png,ant,train,40,2,30,20\n"
        "images/1.png,ant,val,1,2,30,20\nimages/2.png,,train,,,,\n"
    )
    options = PrepareOptions(split={"ratios": (0.5, 0.5, 0)}, one_class="")
    done = prepare(folder, tmp_path / "dataset", options, Silence())
    assert done.classes == ("ant", "zebra")
    assert done.pictures == {"train": 2, "val": 1, "test": 0}
    content: dict[str, Any] = json.loads((tmp_path / "dataset/train/labels.json").read_text())
    assert [row["category_id"] for row in content["annotations"]] == [2, 1]


BAD = {
    "missing": ("no.png,1,2,30,20", "missing"),
    "no numbers": ("images/1.png,a,2,30,20", "four numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_listed(folder: Path, case: str) -> None:
    row, told = BAD[case]
    (folder / "b.csv").write_text(f"file,x,y,w,h\nimages/0.png,1,2,30,20\n{row}\n")
    assert [bad for bad in read(folder).rejected if told in bad.reason]


@pytest.mark.parametrize(
    ("words", "splits"),
    [
        (("train", "val", ""), {"train": 2, "val": 1}),
        (("TRAIN", "VALIDATION", "UNASSIGNED"), {"train": 1, "val": 1}),
        (("0", "1", "1"), {"all": 3}),
    ],
)
def test_no_picture_is_lost_between_splits(
    folder: Path, words: tuple[str, ...], splits: dict[str, int]
) -> None:
    rows = [f"images/{n}.png,{word},1,2,30,20\n" for n, word in enumerate(words)]
    (folder / "b.csv").write_text("file,split,x,y,w,h\n" + "".join(rows))
    raw = read(folder)
    assert {split: len(pictures) for split, pictures in raw.splits.items()} == splits
    told = [f"{bad.item}: {bad.reason}" for bad in raw.rejected]
    assert (
        told
        == [f"images/2.png: '{word}' is no split (train, val, test)" for word in words[2:]][
            : 3 - sum(splits.values())
        ]
    )


def test_numbers_that_train_and_test_share_mean_each_its_own(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / split).mkdir()
        (folder / split / "0.png").hardlink_to(folder / "images" / "0.png")
        (folder / f"{split}.csv").write_text("file,x,y,w,h\n0.png,1,2,30,20\n")
    raw = read(folder)
    names = {split: [one.name for one in pictures] for split, pictures in raw.splits.items()}
    assert names == {"train": ["train/0.png"], "test": ["test/0.png"]}


def test_an_open_quote_is_told(folder: Path) -> None:
    rows = ("images/0.png,c,1,2,30,20", 'images/1.png,"c,1,2,30,20', "images/2.png,c,1,2,30,20")
    (folder / "b.csv").write_text("file,class,x,y,w,h\n" + "\n".join(rows))
    told = "b.csv: a cell of 'images/1.png' goes on to line 4: is a quote opened there"
    assert any(note.startswith(told) for note in read(folder).notes)


def test_a_broken_table_is_told(folder: Path) -> None:
    row = '{"file": "images/%d.png", "x": 1, "y": 2, "w": 30, "h": 20}\n'
    (folder / "train.jsonl").write_text(row % 0)
    (folder / "val.jsonl").write_text(row % 1 + '{"file": ')
    raw = read(folder)
    assert list(raw.splits) == ["train"]
    assert [note for note in raw.notes if "val.jsonl was passed over: val.jsonl, line 2" in note]


def test_tables_without_boxes_are_none(folder: Path) -> None:
    (folder / "b.csv").write_text("file,label\nimages/0.png,cat\n")
    assert recognise(folder) is None
