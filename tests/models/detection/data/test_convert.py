"""Datasets from each format to each other and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from models.detection.data.convert import convert
from models.detection.data.formats import read, recognise
from models.detection.data.options import PrepareOptions
from models.detection.data.prepare import prepare
from models.reporting import Silence
from pipelines.cli import main

BCCD = Path(__file__).parents[5] / "shared" / "datasets" / "bccd"
CLASSES = [(3, "red cell"), (40, "клетка"), (7, 'odd "name": #1')]
FORMATS = ("coco", "voc", "yolo")


def raw(folder: Path, splits: tuple[str, ...] = ("train", "val"), clash: bool = False) -> Path:
    """Write COCO data; whole pixels, a picture without a box, ids with gaps."""
    number = 0
    for split in splits:
        place = folder / split
        (place / "data").mkdir(parents=True)
        images, annotations = [], []
        for index in range(4):
            name = f"{index if clash else number} picture.{'png' if index == 3 else 'jpg'}"
            pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
            Image.fromarray(pixels).save(place / "data" / name)
            images.append({"id": number, "file_name": name, "width": 60, "height": 40})
            for box in range(index):
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": number,
                        "category_id": CLASSES[(index + box) % 3][0],
                        "bbox": [3 + 5 * box, 4 + index, 11, 13 + box],
                    }
                )
            number += 1
        categories = [{"id": i, "name": name} for i, name in CLASSES]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (place / "labels.json").write_text(json.dumps(content))
    return folder


def boxes(folder: Path) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
    """Class names and boxes by split and picture."""
    data = read(folder)
    return {
        split: {
            picture.file.stem: sorted(
                (data.classes[label], *(round(float(v), 3) for v in box))
                for label, box in zip(picture.labels, picture.boxes, strict=True)
            )
            for picture in pictures
        }
        for split, pictures in data.splits.items()
    }


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("splits", [("train", "val"), ("train", "val", "test"), ("",)])
def test_there_and_back_the_boxes_are_the_same(
    tmp_path: Path, first: str, second: str, splits: tuple[str, ...]
) -> None:
    source = raw(tmp_path / "raw", splits)
    before = boxes(source)
    for turn, to in enumerate((first, second, "coco")):
        target = tmp_path / str(turn)
        done = convert(source, target, to, Silence())  # type: ignore[arg-type]
        assert recognise(target) == to
        assert done.rejected == []
        assert boxes(target) == before, to
        source = target
    assert sum(len(found) for found in before.values()) == 4 * len(splits)


def test_ids_with_gaps_stay_in_coco_and_are_told_where_they_are_lost(tmp_path: Path) -> None:
    source = raw(tmp_path / "raw")
    convert(source, tmp_path / "coco", "coco", Silence())
    content = json.loads((tmp_path / "coco" / "train" / "labels.json").read_text())
    assert [(row["id"], row["name"]) for row in content["categories"]] == CLASSES
    for to in ("voc", "yolo"):
        done = convert(source, tmp_path / to, to, Silence())  # type: ignore[arg-type]
        assert any("red cell 3, клетка 40" in note for note in done.notes)
        listed = json.loads((tmp_path / to / "rejected.json").read_text())["notes"]
        assert listed == done.notes


def test_pictures_of_one_name_get_other_names_where_folders_join(tmp_path: Path) -> None:
    source = raw(tmp_path / "raw", clash=True)
    done = convert(source, tmp_path / "voc", "voc", Silence())
    assert len(list((tmp_path / "voc" / "JPEGImages").iterdir())) == 8
    assert len(list((tmp_path / "voc" / "Annotations").iterdir())) == 8
    assert "4 pictures got another name: theirs was taken" in done.notes
    counts = {split: len(found) for split, found in boxes(tmp_path / "voc").items()}
    assert counts == {"train": 4, "val": 4}


def test_crowds_and_fractions_that_a_format_cannot_say_are_told(tmp_path: Path) -> None:
    source = raw(tmp_path / "raw")
    file = source / "train" / "labels.json"
    content = json.loads(file.read_text())
    content["annotations"][0] |= {"iscrowd": 1, "bbox": [1.25, 2.5, 10.5, 10]}
    file.write_text(json.dumps(content))
    voc = convert(source, tmp_path / "voc", "voc", Silence())
    assert "1 boxes around crowds are now like any other" in voc.notes
    assert "1 boxes were rounded: Pascal VOC knows whole pixels alone" in voc.notes
    yolo = convert(source, tmp_path / "yolo", "yolo", Silence())
    assert not any("rounded" in note for note in yolo.notes)
    found = [box for boxes_ in boxes(tmp_path / "yolo")["train"].values() for box in boxes_]
    assert any(box[1:] == (1.25, 2.5, 11.75, 12.5) for box in found)


def test_pictures_are_linked_or_copied_and_never_coded_again(tmp_path: Path) -> None:
    source = raw(tmp_path / "raw")
    before = {p.name: p for p in source.rglob("*.jpg")}
    for copy in (False, True):
        target = tmp_path / str(copy)
        convert(source, target, "yolo", Silence(), copy=copy)
        for file in target.rglob("*.jpg"):
            assert file.read_bytes() == before[file.name].read_bytes()
            assert (file.stat().st_ino == before[file.name].stat().st_ino) is not copy


def test_a_prepared_dataset_converts_with_its_splits(tmp_path: Path) -> None:
    options = PrepareOptions.model_validate({"split": {"keep": False, "ratios": [0.5, 0.25, 0.25]}})
    prepare(raw(tmp_path / "raw"), tmp_path / "set", options, Silence())
    convert(tmp_path / "set", tmp_path / "yolo", "yolo", Silence())
    assert boxes(tmp_path / "yolo") == boxes(tmp_path / "set")
    for folder, middle in (("set", "/data/"), ("yolo", "/")):
        with (tmp_path / folder / "splits.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 8
        for row in rows:
            assert (tmp_path / folder / row["file"]).is_file()
            assert f"{row['split']}{middle}" in row["file"]


def test_the_command_says_what_became_of_it(tmp_path: Path) -> None:
    source = raw(tmp_path / "raw")
    (source / "train" / "data" / "0 picture.jpg").write_bytes(b"")
    target = tmp_path / "out"
    result = CliRunner().invoke(main, ["convert", str(source), str(target), "--to", "yolo"])
    assert result.exit_code == 0, result.output
    assert "7 pictures (train 3, val 4)" in result.output
    assert "the file is empty" in result.output
    again = CliRunner().invoke(main, ["convert", str(source), str(target), "--to", "voc"])
    assert again.exit_code == 1
    assert "isn't an empty folder: give another" in again.output
    inside = CliRunner().invoke(main, ["convert", str(source), str(source / "x"), "--to", "voc"])
    assert "lies in" in inside.output
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = CliRunner().invoke(main, ["convert", str(empty), str(tmp_path / "y"), "--to", "voc"])
    assert "no known annotations" in nothing.output
    assert not (tmp_path / "y").exists()


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"no BCCD at {BCCD}")
@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_bccd_there_and_back(tmp_path: Path, to: str) -> None:
    first = convert(BCCD, tmp_path / "one", to, Silence())  # type: ignore[arg-type]
    convert(tmp_path / "one", tmp_path / "two", "voc", Silence())
    convert(tmp_path / "two", tmp_path / "three", to, Silence())  # type: ignore[arg-type]
    assert sum(first.pictures.values()) == 292
    assert boxes(tmp_path / "three") == boxes(tmp_path / "one")
