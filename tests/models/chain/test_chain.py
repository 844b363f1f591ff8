"""A reader behind a detector: what is found is cut out, turned, read, shown and counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.chain.cutting import cut, turned
from models.chain.evaluating import Page, Written, evaluate_chain, paired
from models.chain.opening import chain_presenter, open_chain
from models.chain.options import ReadOptions
from models.detection.detections import Detections
from models.families import family
from models.ocr.dataset import read_line
from models.ocr.labels import read_lines
from models.outcomes import TrainingOutcome
from models.package import ModelCard, ModelClass, ModelPackage
from models.reporting import Image, Silence

Boxes = list[tuple[float, float, float, float]]


class Scene:
    """Lines pasted into a grey picture."""

    def __init__(self, lines: Path, turns: Sequence[int]) -> None:
        split = read_lines(lines, "val")
        self.image = np.full((400, 300, 3), 128, np.uint8)
        self.boxes: Boxes = []
        self.texts = [split.texts[place] for place in range(len(turns))]
        top = 10
        for place, quarters in enumerate(turns):
            crop = np.rot90(read_line(split, place), quarters)
            height, width = crop.shape[:2]
            self.image[top : top + height, 20 : 20 + width] = crop
            self.boxes.append((20.0, float(top), 20.0 + width, float(top + height)))
            top += height + 12

    def found(self, images: Sequence[Image], boxes: Boxes | None = None) -> list[Detections]:
        """Say what a detector that finds everything would say."""
        boxes = self.boxes if boxes is None else boxes
        one = Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.linspace(0.9, 0.5, len(boxes)).astype(np.float32),
            np.zeros(len(boxes), np.int64),
        )
        return [one for _ in images]


def _detector_card(taught: TrainingOutcome) -> ModelCard:
    card = ModelPackage.load(taught.package).card
    return card.model_copy(
        update={"family": "detection", "classes": (ModelClass(name="barcode", id=7),)}
    )


@pytest.fixture(scope="module")
def reader(taught: TrainingOutcome) -> ModelPackage:
    """The small reader."""
    return ModelPackage.load(taught.package)


@pytest.fixture(scope="module")
def presenter(taught: TrainingOutcome) -> Any:
    """How detections are shown."""
    return family("detection").presenter(_detector_card(taught))


@pytest.mark.parametrize(
    ("box", "padding", "shape"),
    [
        ((10, 10, 30, 20), 0.0, (10, 20)),
        ((10, 10, 30, 20), 0.1, (12, 22)),
        ((-5, -5, 5, 5), 0.0, (5, 5)),
        ((90, 90, 120, 120), 0.5, (25, 25)),
        ((20, 20, 20, 30), 0.1, (0, 0)),
    ],
)
def test_cut(box: tuple[float, ...], padding: float, shape: tuple[int, int]) -> None:
    found = cut(np.zeros((100, 100, 3), np.uint8), box, padding)  # type: ignore[arg-type]
    assert found.shape[:2] == shape


@pytest.mark.parametrize(
    ("shape", "turns", "count"),
    [
        ((10, 30), "tall", 1),
        ((30, 10), "tall", 2),
        ((30, 10), "none", 1),
        ((10, 30), "all", 2),
        ((30, 10), "all", 2),
    ],
)
def test_turns(shape: tuple[int, int], turns: Any, count: int) -> None:
    found = turned(np.zeros((*shape, 3), np.uint8), turns)
    assert len(found) == count
    if turns != "none":
        assert all(one.shape[1] >= one.shape[0] for one in found)


def test_what_is_found_is_read(lines: Path, reader: ModelPackage, presenter: Any) -> None:
    scene = Scene(lines, [0, 0, 1, 3, 0])
    both = chain_presenter(presenter, reader)
    options = ReadOptions(padding=0.0, threshold=0.0)
    with open_chain(scene.found, presenter, reader, options, "cpu") as chain:
        result, same = chain([scene.image, scene.image])
    with open_chain(
        lambda images: scene.found(images, []), presenter, reader, options, "cpu"
    ) as chain:
        (empty,) = chain([scene.image])
    assert both.rows(result) == both.rows(same)
    rows = both.rows(result)
    assert tuple(rows[0]) == tuple(both.columns)
    assert [row["class"] for row in rows] == ["barcode"] * 5
    right = [row["text"] == text for row, text in zip(rows, scene.texts, strict=True)]
    assert sum(right) >= 4
    assert all(0 <= row["read_score"] <= 1 for row in rows)
    entry = both.coco(result)[0]
    assert entry["category_id"] == 7
    assert entry["attributes"]["text"] == rows[0]["text"]
    assert (both.draw(scene.image, result) != scene.image).any()
    assert both.tally(result) == {"barcode": 5}
    assert both.rows(empty) == []
    assert len(both.yolo(result, 400, 300, False)) == 5


def test_a_region_without_pixels(lines: Path, reader: ModelPackage, presenter: Any) -> None:
    scene = Scene(lines, [0])
    options = ReadOptions()
    away: Boxes = [(500.0, 500.0, 520.0, 510.0)]
    with open_chain(
        lambda images: scene.found(images, away), presenter, reader, options, "cpu"
    ) as chain:
        (result,) = chain([scene.image])
    (row,) = chain_presenter(presenter, reader).rows(result)
    assert row["text"] is None


def test_only_what_says_one_thing_may_stand_behind(taught: TrainingOutcome, presenter: Any) -> None:
    from models.chain.presenting import ChainPresenter

    with pytest.raises(ValueError, match="must say one thing about each region"):
        ChainPresenter(presenter, presenter)


def test_objects_and_regions_are_paired_once() -> None:
    truths: Boxes = [(0, 0, 10, 10), (20, 0, 30, 10)]
    boxes: Boxes = [(1, 0, 11, 10), (0, 0, 10, 10), (50, 50, 60, 60)]
    assert paired(truths, boxes, 0.5) == {0: 1}
    assert paired(truths, [], 0.5) == {}
    assert paired([], boxes, 0.5) == {}


def test_found_and_read_right(
    lines: Path, reader: ModelPackage, presenter: Any, tmp_path: Path
) -> None:
    scene = Scene(lines, [0, 0, 0, 0])
    file = tmp_path / "scene.png"
    cv2.imwrite(str(file), scene.image[..., ::-1])
    written = [
        Written(text, box, "short") for text, box in zip(scene.texts, scene.boxes, strict=True)
    ]
    pages = [Page(file, [*written, Written("444", (200.0, 300.0, 280.0, 320.0))])]
    options = ReadOptions(padding=0.0, threshold=0.0)
    both = chain_presenter(presenter, reader)
    with open_chain(scene.found, presenter, reader, options, "cpu") as chain:
        values, kinds, outcomes = evaluate_chain(chain, both, pages, 0.5, Silence(), 4)
        right = sum(one.text == one.written.text for one in outcomes if one.found)
    assert values["found"] == pytest.approx(0.8)
    assert values["read"] == pytest.approx(right / 5)
    assert values["read_of_found"] == pytest.approx(right / 4)
    assert values["precision"] == pytest.approx(right / 4)
    assert values["elsewhere"] == 0.0
    assert right >= 3
    assert kinds[0]["texts"] == 4
    assert [one.found for one in outcomes] == [True] * 4 + [False]
