"""From a raw folder to a dataset: checks, splits, duplicates, what is written."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from models.data.splits import SPLITS
from models.ocr.data.formats import recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.prepare import prepare
from models.ocr.data.reading import read_split
from models.ocr.data.texts import symbology_named, tidy
from models.outcomes import Preparation
from models.reporting import Silence


def listed(folder: Any, rows: list[tuple[str, str]], table: str = "labels.jsonl") -> None:
    """Write pictures, each of its text, and the table."""
    for name, text in rows:
        if not (folder.root / name).exists():
            folder.picture(name, text)
    lines = [json.dumps({"file": name, "text": text}, ensure_ascii=False) for name, text in rows]
    folder.text(table, "".join(f"{line}\n" for line in lines))


def go(folder: Any, **options: Any) -> tuple[Preparation, Path]:
    target = folder.root.parent / "dataset"
    return prepare(folder.root, target, PrepareOptions(**options), Silence()), target


def labels(target: Path, split: str = "train") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (target / split / "labels.jsonl").open(encoding="utf-8")]


def files(target: Path) -> dict[str, bytes]:
    return {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*.*")}


def reasons(done: Preparation) -> dict[str, str]:
    return {bad.item: bad.reason for bad in done.rejected}


ONLY_TRAIN = {"split": {"ratios": (1, 0, 0)}}


def test_the_dataset_folder(folder: Any) -> None:
    listed(folder, [(f"{i}.png", f"{i:05d}") for i in range(20)])
    done, target = go(folder)
    assert done.pictures == {"train": 14, "val": 3, "test": 3}
    about = json.loads((target / "dataset.json").read_text())
    assert about["family"] == "ocr"
    assert about["classes"] == []
    assert about["vocabulary"] == list("0123456789")
    assert about["longest"] == 5
    assert about["pictures"] == done.pictures
    assert about["splits"]["group"] == "text"
    seen = set()
    for split, count in done.pictures.items():
        lines = read_split(target, split)
        assert len(lines) == count
        for file, text, size in zip(lines.files, lines.texts, lines.sizes, strict=True):
            image = cv2.imread(str(lines.folder / file))
            assert image is not None
            assert image.shape[:2] == size
            assert text == f"{int(Path(file).stem):05d}"  # zeros in front are kept
            seen.add(text)
    assert len(seen) == 20
    with (target / "splits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["text"] for row in rows} == seen
    assert len(done.previews) == 10  # four of each split, which val and test lack
    assert not list(target.parent.glob(".dataset*"))


def test_same_source_and_options_give_same_bytes_whatever_the_order(folder: Any) -> None:
    rows = [(f"{i}.png", f"{i % 9}{i}") for i in range(12)]
    listed(folder, rows)
    _, target = go(folder, workers=1)
    first = files(target)
    random.Random(0).shuffle(rows)
    listed(folder, rows)
    go(folder, workers=3)
    assert files(target) == first


def test_a_prepared_dataset_is_read_again(folder: Any) -> None:
    listed(folder, [(f"{i}.png", f"{i:05d}") for i in range(20)])
    _, target = go(folder)
    assert recognise(target) == "jsonl"
    again = target.parent / "again"
    done = prepare(target, again, PrepareOptions(), Silence())
    assert done.rejected == ()
    assert {split: labels(again, split) for split in SPLITS} == {
        split: labels(target, split) for split in SPLITS
    }


BAD = {
    "empty": ("", {}, "its text is empty"),
    "blanks": ("  \u00a0 ", {}, "its text is empty"),
    "control": ("12\u00003", {}, "no one can read (U+0000)"),
    "line end": ("12\n3", {}, "U+000A"),
    "spreadsheet": ("4.00638E+12", {}, "cut short"),
    "vocabulary": ("12a4b", {"vocabulary": "0123456789"}, "'a', 'b', which the vocabulary lacks"),
    "length": ("1234567", {"max_length": 6}, "takes 7 steps of the output, max_length is 6"),
    "repeats": ("1122", {"max_length": 5}, "takes 6 steps"),
}


@pytest.mark.parametrize("case", BAD)
def test_texts_that_cannot_be_learned_are_set_aside(folder: Any, case: str) -> None:
    text, options, told = BAD[case]
    folder.picture("bad.png", "77")
    listed(folder, [("a.png", "12"), ("b.png", "13"), ("bad.png", text)])
    done, _ = go(folder, **ONLY_TRAIN, **options)
    assert done.pictures["train"] == 2
    assert told in reasons(done)["bad.png"]


def corrupt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (corrupt, "broken or cut off"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "no picture": (lambda path: path.write_bytes(b"hello" * 50), "isn't a picture"),
}


@pytest.mark.parametrize("case", PICTURES)
def test_broken_pictures_are_set_aside(folder: Any, case: str) -> None:
    harm, told = PICTURES[case]
    listed(folder, [("a.png", "12"), ("b.png", "13"), ("c.png", "14")])
    harm(folder.root / "b.png")
    done, target = go(folder, **ONLY_TRAIN)
    assert told in reasons(done)["b.png"]
    assert json.loads((target / "rejected.json").read_text())["rejected"][0]["item"] == "b.png"


def test_texts_are_composed_and_stripped(folder: Any) -> None:
    listed(folder, [("a.png", "e\u0301té "), ("b.png", "été2")])
    _, target = go(folder, **ONLY_TRAIN)
    assert [row["text"] for row in labels(target)] == ["été", "été2"]
    assert json.loads((target / "dataset.json").read_text())["vocabulary"] == ["2", "t", "é"]
    assert tidy(tidy("ﬁ ")) == "ﬁ"


@pytest.mark.parametrize("text", ["مرحبا", "שלום", "中文字", "Straße", "🙂", "α-β"])
def test_any_script(folder: Any, text: str) -> None:
    listed(folder, [("a.png", text), ("b.png", "1")])
    done, target = go(folder, **ONLY_TRAIN)
    assert done.rejected == ()
    assert labels(target)[0]["text"] == text
    assert read_split(target, "train").texts[0] == text


def test_same_bytes_with_two_texts_are_both_set_aside(folder: Any) -> None:
    listed(folder, [("a.png", "12"), ("b.png", "13")])
    (folder.root / "c.png").write_bytes((folder.root / "a.png").read_bytes())
    listed(folder, [("a.png", "12"), ("b.png", "13"), ("c.png", "21")])
    done, target = go(folder, **ONLY_TRAIN)
    assert set(reasons(done)) == {"a.png", "c.png"}
    assert "'21' as c.png" in reasons(done)["a.png"]
    assert [row["text"] for row in labels(target)] == ["13"]


def near_twin(folder: Any, of: str, name: str) -> None:
    """The same crop, coded anew and a little darker."""
    image = cv2.imread(str(folder.root / of))
    assert image is not None
    path = folder.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    dark = np.clip(image.astype(np.float32) * 0.93, 0, 255).astype(np.uint8)
    path.write_bytes(cv2.imencode(".jpg", dark, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())


@pytest.mark.parametrize("choice", ["remove", "report", "ignore"])
def test_duplicates_across_splits(folder: Any, choice: str) -> None:
    listed(folder, [(f"train/{i}.png", f"77{i}") for i in range(3)], "train/l.jsonl")
    near_twin(folder, "train/0.png", "test/twin.jpg")
    (folder.root / "test/same.png").write_bytes((folder.root / "train/1.png").read_bytes())
    rows = [("test/twin.jpg", "770"), ("test/same.png", "771"), ("test/x.png", "9999")]
    listed(folder, rows, "test/l.jsonl")
    done, target = go(folder, duplicates=choice, split={"ratios": (0.8, 0, 0.2)})
    left = {row["text"] for row in labels(target, "test")}
    assert (
        left
        == {"remove": {"9999"}, "report": {"770", "771", "9999"}, "ignore": {"770", "9999"}}[choice]
    )
    if choice == "remove":
        assert reasons(done)["test/twin.jpg"] == "nearly the same picture is in train (train/0.png)"
        assert reasons(done)["test/same.png"] == "the same picture is in train (train/1.png)"


def test_lines_that_look_alike_but_say_other_things_stay(folder: Any) -> None:
    """Two small lines with one digit of difference are no duplicates."""
    listed(folder, [(f"{i}.png", f"400638133393{i}") for i in range(10)])
    done, _ = go(folder)
    assert sum(done.pictures.values()) == 10


@pytest.mark.parametrize("group", ["text", "picture"])
def test_a_text_may_stay_in_one_split(folder: Any, group: str) -> None:
    rows = [(f"{n}_{i}.png", f"5{n:02d}") for n in range(20) for i in range(4)]
    for name, text in rows:
        folder.picture(name, text, seed=sum(name.encode()))
    listed(folder, rows)
    _, target = go(folder, split={"group": group}, duplicates="ignore")
    sets = [{row["text"] for row in labels(target, split)} for split in SPLITS]
    shared = sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2]
    assert bool(shared) == (group == "picture")


def test_too_few_texts_for_splits_of_their_own(folder: Any) -> None:
    listed(folder, [(f"{i}.png", "12") for i in range(9)])
    with pytest.raises(ValueError, match=r"1 different texts are too few.*split\.group=picture"):
        go(folder)


def test_splits_that_came_are_kept_and_what_they_share_is_said(folder: Any) -> None:
    folder.picture("a.png", "5", seed=1)
    folder.picture("b.png", "5", seed=2)
    folder.text("l.csv", "file,text,split\na.png,55,train\nb.png,55,test\n")
    done, target = go(folder, duplicates="ignore", split={"ratios": (0.5, 0, 0.5)})
    assert done.pictures == {"train": 1, "val": 0, "test": 1}
    notes = json.loads((target / "rejected.json").read_text())["notes"]
    assert any("1 of 1 lines of test have a text that train has too" in note for note in notes)


def test_characters_that_train_lacks_are_told(folder: Any) -> None:
    listed(folder, [("train/a.png", "12")], "train/l.jsonl")
    listed(folder, [("val/b.png", "34")], "val/l.jsonl")
    _, target = go(folder, split={"ratios": (0.5, 0.5, 0)})
    notes = json.loads((target / "rejected.json").read_text())["notes"]
    assert "val has characters that train lacks: 3 4" in notes


def test_nothing_left(folder: Any) -> None:
    listed(folder, [("a.png", "ab")])
    with pytest.raises(ValueError, match="no line with a text is left; 1 were set aside"):
        go(folder, vocabulary="123")


def test_the_target_is_not_overwritten(folder: Any) -> None:
    listed(folder, [("a.png", "1")])
    (folder.root.parent / "dataset").mkdir()
    (folder.root.parent / "dataset" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="isn't empty and holds no dataset"):
        go(folder)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pattern": "<n>"}, "needs <text>"),
        ({"encoding": "klingon"}, "no encoding is called 'klingon'"),
        ({"split": {"ratios": (0.5, 0.2, 0.2)}}, "sum to"),
        ({"max_len": 3}, "max_len"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        PrepareOptions(**options)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("EAN-13", "ean13"),
        ("Code_128", "code128"),
        ("UPC", "upca"),
        ("gtin13", "ean13"),
        ("x", None),
    ],
)
def test_symbologies_however_spelled(name: str, kind: str | None) -> None:
    assert symbology_named(name) == kind


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"file": "data/a.png"}\n', "line 1 is broken"),
        ("{\n", "line 1 is broken"),
        ('{"file": "data/a.png", "text": 12, "width": 3, "height": 4}\n', "must be texts"),
        (b"\xff\xfe\x00", "isn't UTF-8"),
    ],
)
def test_a_broken_dataset(folder: Any, content: str | bytes, told: str) -> None:
    folder.text("train/labels.jsonl", content)
    with pytest.raises(ValueError, match=told):
        read_split(folder.root, "train")
    with pytest.raises(ValueError, match="no val split"):
        read_split(folder.root, "val")
