from pathlib import Path

import pytest

from models.detection.data.formats import read, recognise

OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>
<xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def thing(name: str, *box: object, difficult: int = 0) -> str:
    return OBJECT.format(*box, name=name, difficult=difficult)


def document(*objects: str, size: tuple[int, int] = (100, 50), file: str = "x.jpg") -> str:
    return (
        f"<annotation><filename>{file}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height><depth>3</depth></size>{''.join(objects)}</annotation>"
    )


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / "set" / name).mkdir(parents=True)
    return tmp_path / "set"


def add(voc: Path, stem: str, text: str, suffix: str = ".jpg") -> None:
    (voc / "Annotations" / f"{stem}.xml").write_text(text, encoding="utf-8")
    (voc / "JPEGImages" / f"{stem}{suffix}").write_bytes(b"x")


def lists(voc: Path, **sets: str) -> None:
    for name, text in sets.items():
        (voc / "ImageSets" / "Main" / f"{name}.txt").write_text(text)


def test_boxes_count_from_one_and_include_their_last_pixel(voc: Path) -> None:
    add(voc, "a b", document(thing("кот", 1, 1, 100, 50), thing("a cat", 11, "20.0", 11, 20)))
    assert recognise(voc.parent) == "voc"
    raw = read(voc.parent)
    (picture,) = raw.splits["all"]
    assert picture.boxes.tolist() == [[0, 0, 100, 50], [10, 19, 11, 20]]
    assert picture.size == (100, 50)
    assert picture.name == "JPEGImages/a b.jpg"
    assert raw.classes == ["a cat", "кот"]
    assert raw.category_ids == [1, 2]
    assert picture.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ({}, {"all": "abc"}),
        ({"train": "a\nb\n", "val": "c\n"}, {"train": "ab", "val": "c"}),
        ({"trainval": "a\nb", "test": "c"}, {"train": "ab", "test": "c"}),
        ({"train": "a", "val": "b", "trainval": "a\nb"}, {"train": "a", "val": "b"}),
        ({"train": "b  1\na -1\n\nb  1\n"}, {"train": "ab"}),
        ({"train": "", "val": ""}, {"all": "abc"}),
    ],
)
def test_image_sets(voc: Path, sets: dict[str, str], expected: dict[str, str]) -> None:
    for stem in "abc":
        add(voc, stem, document(thing("x", 1, 1, 5, 5)))
    lists(voc, **sets)
    raw = read(voc)
    found = {
        split: "".join(picture.file.stem for picture in pictures)
        for split, pictures in raw.splits.items()
    }
    assert found == expected


def test_the_picture_is_found_by_stem_or_by_the_name_inside(voc: Path) -> None:
    add(voc, "a", document(thing("x", 1, 1, 5, 5), file="other.jpg"), suffix=".png")
    (voc / "Annotations" / "b.xml").write_text(document(file="C:\\pics\\real.jpg"))
    (voc / "JPEGImages" / "real.jpg").write_bytes(b"x")
    raw = read(voc)
    assert [picture.file.name for picture in raw.splits["all"]] == ["a.png", "real.jpg"]


def test_difficult_objects_can_be_left_out(voc: Path) -> None:
    add(voc, "a", document(thing("x", 1, 1, 5, 5, difficult=1), thing("y", 1, 1, 5, 5)))
    assert len(read(voc).splits["all"][0].boxes) == 2
    assert len(read(voc, difficult=False).splits["all"][0].boxes) == 1


BOMB = '<!DOCTYPE a [<!ENTITY b "c">]>' + document()
ODD = {
    "not xml": ("<annotation>", "isn't XML"),
    "entities": (BOMB, "XML entities"),
    "entities in utf-16": (BOMB.encode("utf-16"), "XML entities"),
    "a class in an encoding it doesn't state": (
        document(thing("K\u00f6nig", 1, 1, 5, 5)).encode("latin-1"),
        "isn't XML",
    ),
    "no class": (document(thing(" ", 1, 1, 5, 5)), "no class"),
    "no number": (document(thing("x", "", 1, 5, 5)), "isn't four numbers"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_files_are_set_aside_with_the_reason(voc: Path, case: str) -> None:
    text, reason = ODD[case]
    add(voc, "good", document(thing("x", 1, 1, 5, 5)))
    path = voc / "Annotations" / "odd.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (voc / "JPEGImages" / "odd.jpg").write_bytes(b"x")
    raw = read(voc)
    (rejected,) = raw.rejected
    assert rejected.item.startswith("Annotations/odd.xml")
    assert reason in rejected.reason


def test_a_path_in_another_encoding_does_no_harm(voc: Path) -> None:
    text = document(thing("x", 1, 1, 5, 5)).replace("<size>", "<path>C:\\K\u00f6ln</path><size>")
    add(voc, "a", "")
    (voc / "Annotations" / "a.xml").write_bytes(text.encode("cp1252"))
    raw = read(voc)
    assert (len(raw.splits["all"][0].boxes), raw.rejected) == (1, [])


def test_lists_that_name_too_much_or_too_little(voc: Path) -> None:
    for stem in "ab":
        add(voc, stem, document(thing("x", 1, 1, 5, 5)))
    (voc / "JPEGImages" / "bare.jpg").write_bytes(b"x")
    lists(voc, train="a\ngone\n../../outside\n")
    raw = read(voc)
    reasons = {one.item: one.reason for one in raw.rejected}
    assert reasons == {
        "../../outside": "the name leads out of the dataset",
        "Annotations/gone.xml": "the file is missing",
        "JPEGImages/bare.jpg": "it has no annotation file",
    }
    assert raw.notes == ["1 annotation files are in none of ImageSets/Main's lists"]


def test_no_size_is_no_size(voc: Path) -> None:
    add(voc, "a", document(size=(0, 0)))
    assert read(voc).splits["all"][0].size is None


def test_a_list_in_another_encoding_gets_one_line(voc: Path) -> None:
    add(voc, "a", document(thing("cat", 1, 1, 10, 10)))
    (voc / "ImageSets" / "Main" / "train.txt").write_bytes(b"a\nb\xe4r\n")
    with pytest.raises(ValueError, match=r"^ImageSets/Main/train.txt isn't UTF-8 text"):
        read(voc)
