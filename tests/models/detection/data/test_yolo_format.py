from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.detection.data.formats import read, recognise
from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from tests.models.detection.conftest import Notes

BOX = "1 0.5 0.5 0.2 0.4\n"


def picture(file: Path, width: int = 100, height: int = 50) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(file))).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(file)


def lay(folder: Path, **files: str | None) -> Path:
    """Lay out texts by path; None makes a picture."""
    for name, text in files.items():
        file = folder / name
        if text is None:
            picture(file)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return folder


PAIR: dict[str, str | None] = {"images/train/a.jpg": None, "labels/train/a.txt": BOX}
LAYOUTS: dict[str, tuple[dict[str, str | None], dict[str, list[str]], list[str]]] = {
    "a folder each": (
        {**PAIR, "images/val/b.PNG": None, "labels/val/b.txt": "", "classes.txt": "cat\nбелый пёс"},
        {"train": ["images/train/a.jpg"], "val": ["images/val/b.PNG"]},
        ["cat", "белый пёс"],
    ),
    "Roboflow": (
        {
            "data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['007', no]",
            "train/images/a.jpg": None,
            "train/labels/a.txt": BOX,
            "valid/images/b.jpg": None,
            "valid/labels/b.txt": BOX,
            "README.roboflow.txt": "hello",
        },
        {"train": ["train/images/a.jpg"], "val": ["valid/images/b.jpg"]},
        ["007", "no"],
    ),
    "paths of another machine, names with gaps": (
        {
            **PAIR,
            "set.yaml": "path: /home/me/set\ntrain: /home/me/set/images/train\n"
            "val: null\ntest: ../test/images\nnames: {0: cat, 1: dog, 7: emu}",
        },
        {"train": ["images/train/a.jpg"]},
        ["cat", "dog", "emu"],
    ),
    "lists of pictures": (
        {
            **PAIR,
            "data.yaml": "train: train.txt\nval: [val.txt]\nnames: [cat, dog]",
            "train.txt": "./images/train/a.jpg\n",
            "val.txt": "C:\\set\\images\\b.jpg\n",
            "images/b.jpg": None,
        },
        {"train": ["images/train/a.jpg"], "val": ["images/b.jpg"]},
        ["cat", "dog"],
    ),
    "splits outside": (
        {
            "train/images/deep/a.jpg": None,
            "train/labels/deep/a.txt": BOX,
            "test/images/b.jpg": None,
            "test/labels/b.txt": BOX,
        },
        {"train": ["train/images/deep/a.jpg"], "test": ["test/images/b.jpg"]},
        ["1"],
    ),
    "no splits": (
        {"images/a.jpg": None, "labels/a.txt": BOX, "labels/classes.txt": "cat\ndog"},
        {"all": ["images/a.jpg"]},
        ["cat", "dog"],
    ),
    "no splits and no names, folders below": (
        {"images/cam 1/a.jpg": None, "labels/cam 1/a.txt": BOX},
        {"all": ["images/cam 1/a.jpg"]},
        ["1"],
    ),
    "capitals": (
        {
            "Images/Train/a.jpg": None,
            "Labels/Train/a.txt": BOX,
            "Images/Val/b.JPG": None,
            "Labels/Val/b.txt": BOX,
            "classes.txt": "cat\ndog",
        },
        {"train": ["Images/Train/a.jpg"], "val": ["Images/Val/b.JPG"]},
        ["cat", "dog"],
    ),
    "train named as val too, as COCO128 has it": (
        {**PAIR, "data.yaml": "train: images/train\nval: images/train\nnames: [cat, dog]"},
        {"train": ["images/train/a.jpg"]},
        ["cat", "dog"],
    ),
    "all in one folder": (
        {"a b.jpg": None, "a b.txt": BOX, "classes.txt": "cat\ndog\n"},
        {"all": ["a b.jpg"]},
        ["cat", "dog"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    files, splits, classes = LAYOUTS[layout]
    root = lay(tmp_path / "images" / "deeper", **files)  # a folder above is called like one of ours
    assert recognise(tmp_path) == "yolo"
    raw = read(root)
    assert {name: [one.name for one in found] for name, found in raw.splits.items()} == splits
    assert raw.classes == classes
    (first, *_) = next(iter(raw.splits.values()))
    np.testing.assert_allclose(first.boxes, [[40, 15, 60, 35]])
    assert raw.classes[first.labels[0]] == (classes[1] if len(classes) > 1 else "1")
    assert first.size == (100, 50)
    assert not raw.rejected
    assert ("train once more" in str(raw.notes)) == ("COCO128" in layout)


def test_category_ids_are_the_class_numbers(tmp_path: Path) -> None:
    files, *_ = LAYOUTS["paths of another machine, names with gaps"]
    assert read(lay(tmp_path, **files)).category_ids == [0, 1, 7]


@pytest.mark.parametrize(
    ("line", "boxes", "reason"),
    [
        ("0 0.1 0.2 0.3 0.2 0.3 0.6", [[10, 10, 30, 30]], ""),  # a triangle
        ("0 .5 .5 .2 .4\r\n\n\n1 .5 .5 1 1", [[40, 15, 60, 35], [0, 0, 100, 50]], ""),
        ("0 .5 .5 .2", [], "has 4 numbers"),
        ("0 .5 .5 .2 .4 .9", [], "has 6 numbers"),
        ("cat .5 .5 .2 .4", [], "isn't made of numbers"),
        ("0.5 .5 .5 .2 .4", [], "'0.5' is no class number"),
        ("-1 .5 .5 .2 .4", [], "'-1' is no class number"),
        ("9 .5 .5 .2 .4", [], "class 9 has no name"),
    ],
)
def test_lines(tmp_path: Path, line: str, boxes: list[list[float]], reason: str) -> None:
    root = lay(tmp_path, **{"a.jpg": None, "a.txt": line, "classes.txt": "cat\ndog"})
    raw = read(root)
    np.testing.assert_allclose(raw.splits["all"][0].boxes, np.reshape(boxes, (-1, 4)))
    assert [reason in one.reason for one in raw.rejected] == ([True] if reason else [])


def test_boxes_belong_to_the_upright_picture(tmp_path: Path) -> None:
    root = lay(tmp_path, **{"a.txt": BOX, "classes.txt": "cat\ndog"})
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 50)).save(root / "a.jpg", exif=exif)
    (found,) = read(root).splits["all"]
    assert found.size == (50, 100)
    np.testing.assert_allclose(found.boxes, [[20, 30, 30, 70]])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"data.yaml": "train: nowhere\nnames: [cat]"}, "there is no 'nowhere'"),
        ({"data.yaml": "train: .\nnames: cat"}, "'names' should be a list"),
        ({"data.yaml": "train: .\nnames: {a: 0}"}, "'names' should be a list"),
        ({"data.yaml": "train: .\nnames: [[cat]]"}, "'names' should be a list"),
    ],
)
def test_descriptions_that_are_wrong(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(lay(tmp_path, **files))


def test_names_that_are_none_or_there_twice(tmp_path: Path) -> None:
    files: dict[str, str | None] = {**PAIR, "labels/train/a.txt": "0 .5 .5 .2 .4\n2 .3 .3 .2 .4"}
    files["data.yaml"] = 'train: images/train\nnames: [cat, "", cat, "a\\nb"]'
    raw = read(lay(tmp_path, **files))
    assert raw.classes == ["cat"]
    assert raw.splits["train"][0].labels.tolist() == [0, 0]
    assert [one.item for one in raw.rejected] == ["class 1 ('')", "class 3 ('a\\nb')"]
    assert raw.notes == ["class 2 is called cat as another is: they count as one"]


@pytest.mark.parametrize("name", ["classes.txt", "list.txt"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_names_and_lists_in_other_encodings_are_one_clear_line(
    tmp_path: Path, name: str, encoding: str
) -> None:
    root = lay(tmp_path, **{"a.jpg": None, "a.txt": BOX, "classes.txt": "cat\ndog"})
    if name == "list.txt":
        lay(tmp_path, **{"data.yaml": "train: list.txt\nnames: [cat, dog]"})
    (root / name).write_bytes("caf\u00e9\n".encode(encoding))
    with pytest.raises(ValueError, match=rf"^{name} isn't UTF-8 text: save it as UTF-8$"):
        read(root)


def test_prepare_takes_it_and_sets_the_bad_aside(tmp_path: Path, notes: Notes) -> None:
    files: dict[str, str | None] = {"classes.txt": "cat\nemu"}
    for number in range(12):
        files |= {f"images/{number:02d}{'x' * number}.jpg": None}
        files |= {f"labels/{number:02d}{'x' * number}.txt": BOX}
    root = lay(tmp_path / "raw", **files)
    (root / "images/00.jpg").write_bytes(b"no picture")
    (root / "labels/01x.txt").write_text("1 nan 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2")
    (root / "labels/02xx.txt").unlink()
    (root / "labels/03xxx.txt").write_bytes(b"\xff\xfe\x00")
    found = prepare(root, tmp_path / "out", PrepareOptions(), notes)
    assert sum(found.pictures.values()) == 11
    reasons = {one.item: one.reason for one in found.rejected}
    assert len(reasons) == 3
    assert "isn't UTF-8" in reasons["labels/03xxx.txt"]
    assert any("finite" in reason for reason in reasons.values())
    assert any("1 pictures have no text file" in line for line in notes.lines)


def test_texts_with_a_loud_suffix_and_a_class_that_train_lacks(tmp_path: Path) -> None:
    content: dict[str, str | None] = {
        "images/train/a.JPG": None,
        "labels/train/a.TXT": BOX,
        "images/val/b.jpg": None,
        "labels/val/b.txt": BOX.replace("1", "0", 1),
        "classes.txt": "cat\ndog",
    }
    raw = read(lay(tmp_path / "raw", **content))
    assert [len(one.boxes) for found in raw.splits.values() for one in found] == [1, 1]
    assert not raw.notes
    notes = Notes()
    options = PrepareOptions(split={"ratios": (0.5, 0.5, 0)})
    prepare(tmp_path / "raw", tmp_path / "out", options, notes)
    assert "warning: train has no box of cat: it can't be learned" in notes.lines
