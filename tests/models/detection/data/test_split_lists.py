from pathlib import Path

import pytest

from models.detection.data.formats import read
from tests.models.detection.data.test_other_layouts import coco, lay

PICTURES = ("a.jpg", "deep/b.jpg", "c d.jpg", "other/c.jpg", "twice/e.jpg", "more/e.jpg")
FILES = {"labels.json": coco(*PICTURES), **{f"data/{name}": None for name in PICTURES}}


def splits(folder: Path) -> dict[str, list[str]]:
    found = read(folder).splits
    return {split: [one.name for one in pictures] for split, pictures in found.items()}


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        (
            {"splits.csv": "split,file\ntrain,data/a.jpg\nvalid,b.jpg\ntrain,data/a.jpg\n"},
            {"train": ["data/a.jpg"], "val": ["data/deep/b.jpg"]},
        ),
        (
            {"splits.csv": '\ufefffile,split\n"data/c d.jpg",test\r\ndata\\a.jpg,train\n'},
            {"train": ["data/a.jpg"], "test": ["data/c d.jpg"]},
        ),
        (
            {
                "train.csv": "a.jpg\nb.jpg\n",
                "val.csv": "c.jpg\n",
                "test.csv": "nothing\nc d.jpg\nx",
            },
            {"train": ["data/a.jpg", "data/deep/b.jpg"], "val": ["data/other/c.jpg"]},
        ),
        ({"train.txt": "data/a.jpg", "notes.txt": "b.jpg"}, {"train": ["data/a.jpg"]}),
        ({"val.txt": "data/a.jpg"}, {"all": [f"data/{name}" for name in PICTURES]}),
    ],
)
def test_lists(tmp_path: Path, lists: dict[str, str], expected: dict[str, list[str]]) -> None:
    lay(tmp_path, {**FILES, **lists})
    assert splits(tmp_path) == expected


def test_what_no_list_names_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    text = "split,file\ntrain,a.jpg\ntrain,gone.jpg\ntrain,e.jpg\n"  # e.jpg could be either
    lay(tmp_path, {**FILES, "splits.csv": text})
    raw = read(tmp_path)
    assert raw.notes == ["splits.csv: 2 names belong to no picture"]
    assert len(raw.rejected) == len(PICTURES) - 1
    assert raw.rejected[0].reason == "splits.csv has it in no split"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "needs the columns split and file"),
        ("", "needs the columns split and file"),
        ("split,file\nholdout,a.jpg\n", "line 2: 'holdout' is no split; there are: train, val"),
        ("split,file\ntrain,a.jpg\nval,data/a.jpg\n", "data/a.jpg is in two splits, train and val"),
        ("split,file\ntrain,x.jpg\n", "names none of the pictures; the first name is x.jpg"),
    ],
)
def test_lists_that_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    lay(tmp_path, {**FILES, "splits.csv": text})
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_the_table_of_a_prepared_dataset_can_be_read_again(tmp_path: Path) -> None:
    """Moved pictures: the table rules over the folders they lie in."""
    lay(
        tmp_path,
        {
            "train/labels.json": coco("a.jpg", "b.jpg"),
            "train/data/a.jpg": None,
            "train/data/b.jpg": None,
            "splits.csv": "split,file\ntrain,train/data/a.jpg\ntest,train/data/b.jpg\n",
        },
    )
    assert splits(tmp_path) == {"train": ["train/data/a.jpg"], "test": ["train/data/b.jpg"]}
