"""Annotations and pictures named for each split, laid out as one dataset."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.ocr.data.assemble import assemble
from models.ocr.data.formats import recognise
from models.ocr.data.options import PrepareOptions
from models.ocr.data.prepare import prepare
from models.ocr.data.reading import read_split
from models.reporting import Silence


def parts(folder: Any, tables: dict[str, str]) -> dict[str, tuple[Path, Path]]:
    return {split: (folder.root / table, folder.root / "photos") for split, table in tables.items()}


def test_splits_that_share_a_folder(folder: Any, tmp_path: Path) -> None:
    folder.pictures(["photos/a.png", "photos/in/b.png", "photos/c.png"])
    folder.text("lists/one.tsv", "a.png\t012\nin/b.png\t34\n")
    folder.text("lists/two.csv", "file,text\nc.png,56\n")
    assemble(parts(folder, {"train": "lists/one.tsv", "test": "lists/two.csv"}), tmp_path / "new")
    assert recognise(tmp_path / "new") is not None
    options = PrepareOptions(split={"ratios": (0.5, 0, 0.5)})
    done = prepare(tmp_path / "new", tmp_path / "dataset", options, Silence())
    assert done.rejected == ()
    assert read_split(tmp_path / "dataset", "train").texts == ["012", "34"]
    assert read_split(tmp_path / "dataset", "test").texts == ["56"]


def test_coco_files(folder: Any, tmp_path: Path) -> None:
    folder.picture("photos/a.png", "012345")
    images = [{"id": 1, "file_name": "a.png"}]
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 60, 30], "text": "012"}
    content = {"images": images, "annotations": [row], "categories": []}
    folder.text("t.json", json.dumps(content))
    assemble(parts(folder, {"train": "t.json"}), tmp_path / "new")
    assert recognise(tmp_path / "new") == "coco"


@pytest.mark.parametrize(
    ("table", "told"),
    [("no.csv", "is no table"), ("photos/a.png", "is no table"), ("far.csv", "names no picture")],
)
def test_what_does_not_fit_together(folder: Any, tmp_path: Path, table: str, told: str) -> None:
    folder.picture("photos/a.png")
    folder.text("far.csv", "file,text\nz.png,1\n")
    with pytest.raises(ValueError, match=f"train: .*{told}"):
        assemble(parts(folder, {"train": table}), tmp_path / "new")
    with pytest.raises(ValueError, match="no folder of pictures"):
        assemble({"train": (folder.root / "far.csv", folder.root / "none")}, tmp_path / "new")
