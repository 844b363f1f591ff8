"""Tables of crops and texts: whatever their columns, quoting and encoding are."""

from pathlib import Path
from typing import Any

import pytest

from models.ocr.data.formats import read, recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.texts import Raw
from models.reporting import Silence

TEXTS = {"a.png": "00123", "b.png": "Grüße, Welt", "c.png": 'say "hi"'}


def go(folder: Any, **options: Any) -> Raw:
    scratch = folder.root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return read(folder.root, PrepareOptions(**options), scratch, Silence())


def texts(raw: Raw) -> dict[str, str]:
    return {one.name: one.text for found in raw.splits.values() for one in found}


CSV = 'a.png,00123\nb.png,"Grüße, Welt"\nc.png,"say ""hi"""\n'
TABLES = {
    "labels.csv": ("csv", "image,label\n" + CSV),
    "no_header.csv": ("csv", CSV),
    "bom.csv": ("csv", b"\xef\xbb\xbf" + ("filename,text\n" + CSV).encode()),
    "utf16.csv": ("csv", ("filename,text\n" + CSV).encode("utf-16")),
    "cp1252.csv": ("csv", ("filename,text\n" + CSV).encode("cp1252")),
    "crlf.csv": ("csv", ("path,words\n" + CSV).replace("\n", "\r\n")),
    "semicolons.csv": ("csv", 'file;text\na.png;00123\nb.png;"Grüße, Welt"\nc.png;"say ""hi"""\n'),
    "more_columns.csv": (
        "csv",
        'id,text,width,image_path\n1,00123,9,a.png\n2,"Grüße, Welt",9,b.png\n'
        '3,"say ""hi""",9,c.png\n',
    ),
    "other_names.csv": (
        "csv",
        'bild.file,inhalt\na.png,00123\nb.png,"Grüße, Welt"\nc.png,"say ""hi"""\n',
    ),
    "labels.tsv": (
        "tsv",
        'file\ttranscription\na.png\t00123\nb.png\tGrüße, Welt\nc.png\tsay "hi"\n',
    ),
    "rec_gt.txt": ("tsv", 'a.png\t00123\nb.png\tGrüße, Welt\nc.png\tsay "hi"\n'),
    "quoted.tsv": ("tsv", 'a.png\t"00123"\nb.png\t"Grüße, Welt"\nc.png\t"say ""hi"""\n'),
    "icdar_gt.txt": ("csv", 'a.png, "00123"\nb.png, "Grüße, Welt"\nc.png, "say \\"hi\\""\n'),
    "blanks.txt": ("txt", 'a.png 00123\nb.png Grüße, Welt\nc.png say "hi"\n'),
    "labels.jsonl": (
        "jsonl",
        '{"file": "a.png", "text": "00123"}\n{"text": "Grüße, Welt", "file": "b.png"}\n'
        '{"file": "c.png", "text": "say \\"hi\\"", "more": [1]}\n',
    ),
    "map.json": ("jsonl", '{"a.png": "00123", "b.png": "Grüße, Welt", "c.png": "say \\"hi\\""}'),
    "list.json": (
        "jsonl",
        '[{"img": "a.png", "gt": "00123"}, {"img": "b.png", "gt": "Grüße, Welt"}, '
        '{"img": "c.png", "gt": "say \\"hi\\""}]',
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_kind_of_table_says_the_same(folder: Any, name: str) -> None:
    kind, content = TABLES[name]
    folder.pictures(TEXTS)
    folder.text(name, content)
    assert recognise(folder.root) == kind
    raw = go(folder)
    assert texts(raw) == TEXTS
    assert raw.format == kind
    assert raw.rejected == []


def test_other_encodings_are_named(folder: Any) -> None:
    folder.picture("a.png")
    folder.text("gt.tsv", "a.png\tПривет\n".encode("cp1251"))
    assert texts(go(folder, encoding="cp1251")) == {"a.png": "Привет"}
    assert any("cp1252" in note for note in go(folder).notes)


PLACES = {
    "beside": ("train/gt.txt", "x/a.png", "train/x/a.png"),
    "in data": ("labels.csv", "a.png", "data/a.png"),
    "from the root": ("lists/gt.txt", "crops/a.png", "crops/a.png"),
    "somebody's disk": ("gt.txt", "C:\\\\data\\\\crops\\\\a.png", "crops/a.png"),
    "out of it": ("gt.txt", "../../etc/a.png", "crops/a.png"),
    "no suffix": ("gt.txt", "a", "crops/a.png"),
}


@pytest.mark.parametrize("case", PLACES)
def test_pictures_are_found(folder: Any, case: str) -> None:
    table, written, place = PLACES[case]
    folder.picture(place)
    folder.picture("far/b.png")
    end = "," if table.endswith("csv") else "\t"
    folder.text(table, f"{written}{end}12\nb.png{end}13\n")
    assert texts(go(folder)) == {place: "12", "far/b.png": "13"}


def test_splits_by_column_name_and_folder(folder: Any) -> None:
    folder.pictures(["1.png", "2.png", "3.png"])
    folder.text("all.csv", "file,text,split\n1.png,a,train\n2.png,b,valid\n3.png,c,test\n")
    assert {s: len(found) for s, found in go(folder).splits.items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }


def test_numbers_that_train_and_test_share_mean_each_its_own(folder: Any) -> None:
    folder.pictures(["train/1.png", "train/2.png", "test/1.png"])
    folder.text("train.csv", "file,text\n1.png,a\n2.png,b\n")
    folder.text("test.csv", "file,text\n1.png,c\n")
    raw = go(folder)
    assert texts(raw) == {"train/1.png": "a", "train/2.png": "b", "test/1.png": "c"}
    assert not raw.rejected


@pytest.mark.parametrize(
    "names", [("rec_gt_train.txt", "rec_gt_test.txt"), ("train/g.txt", "test/g.txt")]
)
def test_splits_by_the_tables_names(folder: Any, names: tuple[str, str]) -> None:
    folder.pictures(["1.png", "2.png"])
    folder.text(names[0], "1.png\ta\n")
    folder.text(names[1], "2.png\tb\n")
    raw = go(folder)
    assert {split: [one.text for one in found] for split, found in raw.splits.items()} == {
        "train": ["a"],
        "test": ["b"],
    }


BAD = {
    "missing picture": ("a.png\t1\nno.png\t2\n", "gt.txt, line 2 (no.png)", "missing"),
    "two texts": ("a.png\t1\nb.png\t3\na.png\t2\n", "a.png (gt.txt, line 3)", "two texts"),
    "unlisted": ("a.png\t1\n", "b.png", "no table"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_listed(folder: Any, case: str) -> None:
    content, item, reason = BAD[case]
    folder.pictures(["a.png", "b.png"])
    folder.text("gt.txt", content)
    found = {bad.item: bad.reason for bad in go(folder).rejected}
    assert reason in found[item]


def test_numbers_in_json_are_no_texts(folder: Any) -> None:
    folder.pictures(["a.png", "b.png"])
    folder.text("l.jsonl", '{"file": "a.png", "text": 12}\n{"file": "b.png", "text": "012"}\n')
    raw = go(folder)
    assert texts(raw) == {"b.png": "012"}
    assert "in quotes" in raw.rejected[0].reason


def test_columns_that_cannot_be_told_are_asked_for(folder: Any) -> None:
    folder.picture("a.png")
    folder.text("t.csv", "file,left,right\na.png,1,2\n")
    with pytest.raises(ValueError, match=r"t\.csv.*file, left, right.*text_column"):
        go(folder)
    assert texts(go(folder, text_column="right")) == {"a.png": "2"}
    with pytest.raises(ValueError, match=r"no column 'rigth' \(did you mean 'right'\?\)"):
        go(folder, text_column="rigth")


def test_nothing_there(folder: Any) -> None:
    folder.text("notes.txt", "nothing to see\n")
    assert recognise(folder.root) is None
    with pytest.raises(ValueError, match="no texts found"):
        go(folder)


NAMES = {
    "": {
        "4006381333931_1.jpg": "4006381333931",
        "0012_22.png": "0012",
        "hello world.png": "hello world",
    },
    "<any>_<text>_<n>": {"7_ABC_123.png": "ABC", "8_a_b_5.png": "a_b"},
    "<text>-<any>": {"12-x-y.png": "12"},
    "plate (<text>)": {"plate (B-XY 1).png": "B-XY 1"},
}


@pytest.mark.parametrize("pattern", NAMES)
def test_texts_in_names(folder: Any, pattern: str) -> None:
    folder.pictures(NAMES[pattern])
    assert texts(go(folder, pattern=pattern)) == NAMES[pattern]


def test_names_that_do_not_fit_are_listed(folder: Any) -> None:
    folder.pictures(["7_ABC_123.png", "other.png"])
    raw = go(folder, pattern="<any>_<text>_<n>")
    assert [(bad.item, "pattern" in bad.reason) for bad in raw.rejected] == [("other.png", True)]


def test_names_by_split(folder: Any) -> None:
    folder.pictures(["train/data/11_1.png", "val/12_1.png"])
    assert recognise(folder.root) == "names"
    assert {s: [one.text for one in f] for s, f in go(folder).splits.items()} == {
        "train": ["11"],
        "val": ["12"],
    }


@pytest.mark.parametrize(
    "names",
    [
        ["IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg"],
        ["000012.png", "000013.png", "000017.png"],
        ["cat/1234_1.png", "dog/5678_1.png"],
    ],
)
def test_names_that_are_no_texts(folder: Any, names: list[str]) -> None:
    folder.pictures(names)
    assert recognise(folder.root) is None


def test_archives_with_one_folder_in_them(folder: Any) -> None:
    folder.picture("set-main/crops/a.png")
    folder.text("set-main/gt.txt", "crops/a.png\t1\n")
    assert recognise(folder.root) == "tsv"
    assert texts(go(folder)) == {"crops/a.png": "1"}


def test_tables_of_strangers_are_passed_over(folder: Any) -> None:
    folder.picture("a.png")
    folder.text("gt.tsv", "a.png\t1\n")
    folder.text("broken.jsonl", "{not json\n")
    folder.text("numbers.csv", "x,y\n1,2\n")
    raw = go(folder)
    assert texts(raw) == {"a.png": "1"}
    assert [note for note in raw.notes if "broken.jsonl" in note]


def test_a_list_of_splits_beside_a_table(folder: Any, tmp_path: Path) -> None:
    folder.pictures(["a.png", "b.png"])
    folder.text("gt.tsv", "a.png\t1\nb.png\t2\n")
    folder.text("splits.csv", "split,file\ntrain,a.png\nval,b.png\n")
    raw = go(folder)
    assert {split: len(found) for split, found in raw.splits.items()} == {"train": 1, "val": 1}


@pytest.mark.parametrize("suffix", [".gt.txt", ".txt"])
def test_a_text_file_beside_each_picture(folder: Any, suffix: str) -> None:
    for number, text in enumerate(("0012", "Grüße", "a b")):
        folder.picture(f"train/{number}.png")
        folder.text(f"train/{number}{suffix}", f"{text}\n")
    folder.picture("val/9.png")
    folder.text(f"val/9{suffix}", "77")
    folder.picture("val/lonely.png")
    assert recognise(folder.root) == "beside"
    raw = go(folder)
    assert [one.text for one in raw.splits["train"]] == ["0012", "Grüße", "a b"]
    assert [one.text for one in raw.splits["val"]] == ["77"]
    assert [bad.item for bad in raw.rejected] == ["val/lonely.png"]


def test_labels_of_a_detector_are_no_texts(folder: Any) -> None:
    for number in range(30):
        folder.picture(f"images/{number:04}.png")
        folder.text(f"images/{number:04}.txt", "0 0.5 0.5 0.25 0.125\n")
    assert recognise(folder.root) is None


def test_text_in_names_even_beside_other_files(folder: Any) -> None:
    folder.pictures(["11_1.png", "12_1.png"])
    folder.text("README.txt", "Two pictures.\n")
    assert recognise(folder.root) == "names"
