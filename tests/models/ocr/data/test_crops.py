"""Lines cut out of larger pictures: COCO, Pascal VOC and tables with boxes and texts."""

import json
import resource
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.ocr.data.formats import recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.prepare import prepare
from models.ocr.data.reading import read_split
from models.outcomes import Preparation
from models.reporting import Silence

RED, BLUE = (40, 40, 220), (220, 60, 40)


def scene(path: Path, boxes: dict[tuple[int, int, int, int], tuple[int, int, int]]) -> None:
    """A grey picture of 200x120 with coloured boxes xyxy."""
    image = np.full((120, 200, 3), 128, np.uint8)
    for (x0, y0, x1, y1), colour in boxes.items():
        image[y0:y1, x0:x1] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def coco(folder: Any, rows: list[dict[str, Any]], split: str = "train") -> None:
    content = {
        "images": [{"id": 7, "file_name": "p.png", "width": 200, "height": 120}],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 1} | r for n, r in enumerate(rows, 1)
        ],
        "categories": [{"id": 1, "name": "code"}],
    }
    scene(folder.root / split / "data" / "p.png", {(20, 10, 80, 30): RED, (100, 60, 180, 90): BLUE})
    folder.text(f"{split}/labels.json", json.dumps(content))


def go(folder: Any, **options: Any) -> tuple[Preparation, Path]:
    target = folder.root.parent / "dataset"
    chosen = {"split": {"ratios": (1, 0, 0)}} | options
    return prepare(folder.root, target, PrepareOptions(**chosen), Silence()), target


def crops(target: Path) -> dict[str, np.ndarray]:
    lines = read_split(target, "train")
    found = {}
    for file, text in zip(lines.files, lines.texts, strict=True):
        image = cv2.imread(str(lines.folder / file))
        assert image is not None
        found[text] = image
    return found


TWO = [{"bbox": [20, 10, 60, 20]}, {"bbox": [100, 60, 80, 30]}]


@pytest.mark.parametrize(
    "where",
    [
        lambda text: {"text": text},
        lambda text: {"utf8_string": text},
        lambda text: {"attributes": {"transcription": text}},
        lambda text: {"attributes": {"text": text, "occluded": False}},
    ],
)
def test_coco_with_texts(folder: Any, where: Any) -> None:
    coco(folder, [TWO[0] | where("0012"), TWO[1] | where("34"), {"bbox": [1, 1, 9, 9]}])
    assert recognise(folder.root) == "coco"
    done, target = go(folder, crops={"padding": 0})
    found = crops(target)
    assert {text: image.shape[:2] for text, image in found.items()} == {
        "0012": (20, 60),
        "34": (30, 80),
    }
    assert (found["0012"] == RED).all()
    assert (found["34"] == BLUE).all()
    assert done.rejected == ()
    notes = json.loads((target / "rejected.json").read_text())["notes"]
    assert "1 annotations have no text and were passed over" in notes


def test_an_attribute_of_ones_own(folder: Any) -> None:
    coco(folder, [TWO[0] | {"serial_no": "77"}])
    with pytest.raises(ValueError, match="no texts found"):
        go(folder)
    _, target = go(folder, crops={"attribute": "serial_no"})
    assert list(crops(target)) == ["77"]


@pytest.mark.parametrize(("padding", "size"), [(0, (20, 60)), (0.5, (40, 80)), (2, (70, 120))])
def test_padding_stays_in_the_picture(folder: Any, padding: float, size: tuple[int, int]) -> None:
    coco(folder, [TWO[0] | {"text": "12"}])
    _, target = go(folder, crops={"padding": padding})
    assert crops(target)["12"].shape[:2] == size


def turned(angle: float) -> list[float]:
    """Corners of a box of 60x20 around (100, 60), turned, from its own top left."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    points = np.array([[-30, -10], [30, -10], [30, 10], [-30, 10]]) @ np.array([[c, s], [-s, c]])
    return (points + np.array([100, 60])).ravel().tolist()


@pytest.mark.parametrize("angle", [30, 90, 180, 200])
def test_lines_are_turned_upright(folder: Any, angle: float) -> None:
    corners = np.array(turned(angle), np.float32).reshape(4, 2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    row = {
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "segmentation": [turned(angle)],
        "text": "1",
    }
    coco(folder, [row])
    # Red on its own left half, blue on its right.
    image = np.full((120, 200, 3), 128, np.uint8)
    middle = [(corners[0] + corners[1]) / 2, (corners[3] + corners[2]) / 2]
    cv2.fillPoly(image, [np.array([corners[0], middle[0], middle[1], corners[3]], np.int32)], RED)
    cv2.fillPoly(image, [np.array([middle[0], corners[1], corners[2], middle[1]], np.int32)], BLUE)
    cv2.imwrite(str(folder.root / "train/data/p.png"), image)
    _, target = go(folder, crops={"padding": 0})
    crop = crops(target)["1"]
    assert crop.shape[:2] == (20, 60)
    assert crop[10, 12].tolist() == list(RED)
    assert crop[10, 48].tolist() == list(BLUE)
    _, target = go(folder, crops={"padding": 0, "straighten": False})
    assert crops(target)["1"].shape[:2] != (20, 60) or angle == 180


@pytest.mark.parametrize(("of", "size"), [("line", (12, 50)), ("object", (47, 60))])
def test_the_line_or_the_whole_object(folder: Any, of: str, size: tuple[int, int]) -> None:
    row = {"bbox": [20, 10, 60, 30], "text_bbox": [25, 45, 50, 12], "text": "12"}
    coco(folder, [row])
    _, target = go(folder, crops={"of": of, "padding": 0})
    assert crops(target)["12"].shape[:2] == size


@pytest.mark.parametrize(
    ("tall", "shape"), [("keep", (60, 20)), ("left", (20, 60)), ("right", (20, 60))]
)
def test_tall_crops_may_be_turned(folder: Any, tall: str, shape: tuple[int, int]) -> None:
    coco(folder, [{"bbox": [20, 10, 20, 60], "text": "12"}])
    scene(folder.root / "train/data/p.png", {(20, 10, 40, 40): RED, (20, 40, 40, 70): BLUE})
    _, target = go(folder, crops={"tall": tall, "padding": 0})
    crop = crops(target)["12"]
    assert crop.shape[:2] == shape
    first = {"keep": RED, "left": RED, "right": BLUE}[tall]
    assert crop[2, 2].tolist() == list(first)


BAD = {
    "number": ({"bbox": [20, 10, 60, 20], "text": 12}, "in quotes"),
    "no box": ({"bbox": [20, 10, 60], "text": "12"}, "isn't four numbers"),
    "small": ({"bbox": [20, 10, 60, 4], "text": "12"}, "smaller than 8"),
    "outside": ({"bbox": [300, 10, 60, 40], "text": "12"}, "smaller than 8"),
    "lost": ({"bbox": [20, 10, 60, 20], "text": "12", "image_id": 9}, "isn't listed"),
    "not finite": ({"bbox": [20, 10, float("inf"), 20], "text": "12"}, "finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_annotations_that_do_not_fit_are_listed(folder: Any, case: str) -> None:
    row, told = BAD[case]
    coco(folder, [TWO[1] | {"text": "34"}, row])
    done, target = go(folder)
    assert list(crops(target)) == ["34"]
    assert [bad for bad in done.rejected if told in bad.reason]


@pytest.mark.parametrize("content", ['{"images": [', '{"images": [], "annotations": null}', ""])
def test_a_split_whose_annotations_are_cut_off_is_told(folder: Any, content: str) -> None:
    coco(folder, [row | {"text": f"t{n}"} for n, row in enumerate(TWO)])
    folder.text("val/labels.json", content)
    with pytest.raises(ValueError, match=r"^val/labels.json isn't COCO's JSON"):
        go(folder)


def test_a_crop_that_cannot_be_written_is_no_missing_one(folder: Any) -> None:
    coco(folder, [row | {"text": f"t{n}"} for n, row in enumerate(TWO)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            go(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_broken_picture_loses_its_lines(folder: Any) -> None:
    coco(folder, [TWO[0] | {"text": "1"}, TWO[1] | {"text": "2"}])
    coco(folder, [TWO[0] | {"text": "3"}], "val")
    (folder.root / "train/data/p.png").write_bytes(b"")
    done, _ = go(folder, split={"keep": False, "ratios": (1, 0, 0)})
    assert done.pictures["train"] == 1
    assert any("its 2 lines are lost" in bad.reason for bad in done.rejected)


VOC = """<annotation><filename>p.png</filename><object><name>code</name>{}
<bndbox><xmin>21</xmin><ymin>11</ymin><xmax>80</xmax><ymax>30</ymax></bndbox></object></annotation>"""


@pytest.mark.parametrize(
    "attribute",
    [
        "<attributes><attribute><name>text</name><value>0012</value></attribute></attributes>",
        "<attributes><text>0012</text></attributes>",
        "<text>0012</text>",
    ],
)
def test_voc_with_texts(folder: Any, attribute: str) -> None:
    scene(folder.root / "JPEGImages" / "p.png", {(20, 10, 80, 30): RED})
    folder.text("Annotations/p.xml", VOC.format(attribute))
    assert recognise(folder.root) == "voc"
    _, target = go(folder, crops={"padding": 0})
    assert crops(target)["0012"].shape == (20, 60, 3)
    assert (crops(target)["0012"] == RED).all()


BOXES = {
    "public barcodes": ("filename\tcode\tx_from\ty_from\twidth\theight", "20\t10\t60\t20"),
    "corners": ("filename\tcode\txmin\tymin\txmax\tymax", "20\t10\t80\t30"),
    "floats": ("filename\tcode\tx\ty\tw\th", "20.0\t10.0\t60.0\t20.0"),
}


@pytest.mark.parametrize("case", BOXES)
def test_tables_with_boxes(folder: Any, case: str) -> None:
    header, box = BOXES[case]
    scene(folder.root / "images" / "p.png", {(20, 10, 80, 30): RED, (100, 60, 160, 80): BLUE})
    second = "\t".join(
        str(float(v) + d) for v, d in zip(box.split("\t"), (80, 50, 0, 0), strict=True)
    )
    if case == "corners":
        second = "100\t60\t160\t80"
    folder.text(
        "annotations.tsv", f"{header}\nimages/p.png\t0012\t{box}\nimages/p.png\t34\t{second}\n"
    )
    assert recognise(folder.root) == "tsv"
    _, target = go(folder, crops={"padding": 0})
    found = crops(target)
    assert (found["0012"] == RED).all()
    assert (found["34"] == BLUE).all()
    assert found["34"].shape == (20, 60, 3)


def test_crops_have_names_of_their_own(folder: Any) -> None:
    """Pictures of one name in two splits, several lines each."""
    for shade, split in ((60, "train"), (200, "val")):
        coco(folder, [TWO[0] | {"text": f"{split}1"}, TWO[1] | {"text": f"{split}2"}], split)
        boxes = {(20, 10, 80, 30): (shade, 0, 0), (100, 60, 180, 90): (0, shade, 0)}
        scene(folder.root / split / "data" / "p.png", boxes)
    done, target = go(folder, split={"keep": False, "ratios": (1, 0, 0)})
    lines = read_split(target, "train")
    assert len(set(lines.files)) == 4
    assert done.rejected == ()
