"""Scenes whose symbols have lines that can be read: what the chain of detector and reader needs."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.detection.data.options import PrepareOptions as DetectionOptions
from models.detection.data.prepare import prepare as prepare_detection
from models.detection.synthetic.barcodes import synthesize
from models.detection.synthetic.options import BarcodeOptions
from models.ocr.data.formats import recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.prepare import prepare
from models.ocr.data.reading import read_split
from models.reporting import Silence

OPTIONS: dict[str, Any] = {
    "train": 8,
    "val": 3,
    "test": 3,
    "lines": True,
    "turn": 10,
    "difficulty": 0.2,
    "empty": 0,
    "symbols": 2,
    "smallest": 0.3,
    "largest": 0.5,
    "symbologies": ("ean13", "ean8", "upca", "code128"),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    synthesize(BarcodeOptions(**OPTIONS), folder, Silence())
    return folder


def rows(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    content = json.loads((folder / split / "labels.json").read_text())
    found: list[dict[str, Any]] = content["annotations"]
    return found


def test_texts_are_what_is_printed_and_lie_under_the_bars(scenes: Path) -> None:
    texts = [row for split in ("train", "val", "test") for row in rows(scenes, split)]
    assert len([row for row in texts if "text" in row]) > 0.8 * len(texts)
    for row in texts:
        if "text" not in row:
            continue
        assert row["payload"].endswith(row["text"])
        assert not set(row["text"]) & set("IOQ")
        bars = np.array(row["segmentation"][0]).reshape(4, 2)
        line = np.array(row["text_segmentation"][0]).reshape(4, 2)
        down = bars[3] - bars[0]
        assert (line.mean(axis=0) - bars.mean(axis=0)) @ down > 0.4 * (down @ down)
        assert row["text_bbox"][:2] == pytest.approx(line.min(axis=0).tolist(), abs=0.02)


def test_the_picture_has_ink_where_the_line_is(scenes: Path) -> None:
    content = json.loads((scenes / "train" / "labels.json").read_text())
    names = {row["id"]: row["file_name"] for row in content["images"]}
    for row in content["annotations"]:
        if "text" not in row:
            continue
        image = cv2.imread(str(scenes / "train/data" / names[row["image_id"]]), 0)
        assert image is not None
        x, y, width, height = (int(value) for value in row["text_bbox"])
        assert image[y : y + height, x : x + width].std() > 8


def test_symbols_are_turned_as_far_as_asked(scenes: Path) -> None:
    for row in rows(scenes):
        corners = np.array(row["segmentation"][0]).reshape(4, 2)
        across = corners[1] - corners[0]
        # Beside the turn, a tilt in space moves the ends.
        assert abs(np.rad2deg(np.arctan2(across[1], across[0]))) < 35


def test_crops_for_a_reader_are_cut_from_them(scenes: Path, tmp_path: Path) -> None:
    assert recognise(scenes) == "coco"
    for of, aspect in (("line", 3.0), ("object", 1.0)):
        target = tmp_path / of
        done = prepare(scenes, target, PrepareOptions(crops={"of": of}), Silence())
        lines = read_split(target, "train")
        assert len(lines) == sum("text" in row for row in rows(scenes))
        assert set(lines.symbologies) <= {"ean13", "ean8", "upca", "code128"}
        ratios = [width / height for height, width in lines.sizes]
        assert np.median(ratios) > aspect
        assert done.pictures["val"] > 0


def test_detection_reads_them_too(scenes: Path, tmp_path: Path) -> None:
    done = prepare_detection(scenes, tmp_path / "boxes", DetectionOptions(), Silence())
    assert done.rejected == ()
    assert done.classes == ("linear",)


def test_same_options_give_same_bytes(scenes: Path, tmp_path: Path) -> None:
    synthesize(BarcodeOptions(**OPTIONS | {"workers": 1}), tmp_path / "again", Silence())
    for file in (scenes / "val").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(scenes)).read_bytes()


def test_scenes_without_lines_name_no_texts(tmp_path: Path) -> None:
    options = OPTIONS | {"lines": False, "train": 2, "val": 1, "test": 1}
    synthesize(BarcodeOptions(**options), tmp_path / "plain", Silence())
    assert not [row for row in rows(tmp_path / "plain") if "text" in row]
    assert recognise(tmp_path / "plain") is None
