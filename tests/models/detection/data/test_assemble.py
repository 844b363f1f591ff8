"""Splits whose annotations and pictures are named one by one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.ingest import STAGE as INGEST
from components.ingest import ingest
from components.prepare import STAGE as PREPARE
from components.prepare import prepare
from components.run import LocalRun
from models.detection.data.assemble import Part, assemble
from models.detection.data.convert import convert
from models.detection.data.formats import recognise
from models.reporting import Silence
from tests.models.detection.data.test_convert import boxes, raw


@pytest.fixture
def scattered(tmp_path: Path) -> Path:
    """COCO, YOLO and VOC annotations of two splits, whose pictures share one folder."""
    source = raw(tmp_path / "raw")
    home = tmp_path / "scattered"
    (home / "all pictures").mkdir(parents=True)
    for split in ("train", "val"):
        for file in (source / split / "data").iterdir():
            shutil.copy(file, home / "all pictures")
        (home / "ann").mkdir(exist_ok=True)
        shutil.copy(source / split / "labels.json", home / "ann" / f"{split}.json")
    convert(source, tmp_path / "yolo", "yolo", Silence())
    for split in ("train", "val"):
        shutil.copytree(tmp_path / "yolo" / "labels" / split, home / "yolo" / split)
    (home / "yolo" / "classes.txt").write_text('red cell\nклетка\nodd "name": #1\n')
    convert(source, tmp_path / "voc", "voc", Silence())
    for split in ("train", "val"):
        (home / "voc" / split).mkdir(parents=True)
        names = (tmp_path / "voc" / "ImageSets" / "Main" / f"{split}.txt").read_text().splitlines()
        for name in names:
            shutil.copy(tmp_path / "voc" / "Annotations" / f"{name}.xml", home / "voc" / split)
    return home


@pytest.mark.parametrize(
    ("kind", "name"), [("coco", "ann/{}.json"), ("yolo", "yolo/{}"), ("voc", "voc/{}")]
)
def test_each_format_becomes_one_dataset(
    tmp_path: Path, scattered: Path, kind: str, name: str
) -> None:
    parts = {
        split: Part(scattered / name.format(split), scattered / "all pictures")
        for split in ("train", "val")
    }
    assemble(parts, tmp_path / "out")
    assert recognise(tmp_path / "out") == kind
    assert boxes(tmp_path / "out") == boxes(tmp_path / "raw")


def test_the_stages_take_them(tmp_path: Path, scattered: Path) -> None:
    given = {
        "data.source": str(scattered),
        "data.train.annotations": "ann/train.json",
        "data.train.pictures": "all pictures",
        "data.val.annotations": str(scattered / "ann" / "val.json"),
        "data.val.pictures": "all pictures",
    }
    run = LocalRun(tmp_path / "run", "ingest", quiet=True)
    made = ingest(INGEST.configure(given), run)
    assert (made.format, made.files) == ("coco", 10)
    config = PREPARE.configure({"dataset": made.dataset, "split.ratios": [0.7, 0.3, 0]})
    done = prepare(config, LocalRun(tmp_path / "run", "prepare", quiet=True))
    assert done.pictures == {"train": 4, "val": 4, "test": 0}


@pytest.mark.parametrize(
    ("train", "val", "line"),
    [
        (("ann/train.json", "nowhere"), None, "train: there is no folder of pictures"),
        (("ann/none.json", "all pictures"), None, "is neither a COCO file"),
        (("all pictures", "all pictures"), None, "is neither a COCO file"),
        (("ann/train.json", "all pictures"), ("voc/val", "all pictures"), "different formats"),
        (("voc/train", "all pictures"), ("voc/train", "all pictures"), "in another split too"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    tmp_path: Path,
    scattered: Path,
    train: tuple[str, str],
    val: tuple[str, str] | None,
    line: str,
) -> None:
    named = {"train": train} | ({"val": val} if val else {})
    parts = {split: Part(*(scattered / one for one in part)) for split, part in named.items()}
    with pytest.raises(ValueError, match=line) as caught:
        assemble(parts, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_pictures_without_annotations_are_refused(tmp_path: Path, scattered: Path) -> None:
    config = INGEST.configure({"data.source": str(scattered), "data.val.pictures": "all pictures"})
    run = LocalRun(tmp_path / "run", "ingest", quiet=True)
    with pytest.raises(ValueError, match=r"data\.val\.pictures needs data\.val\.annotations"):
        ingest(config, run)
