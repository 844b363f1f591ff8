from __future__ import annotations

import contextlib
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.detection.detections import Detections
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.coco_engines import (
    Engine,
    by_hotcoco,
    by_pycocotools,
    columns,
    engine,
)
from models.detection.metrics.truth import Truth

NOTHING = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
NAMES = ("mAP", "mAP50", "mAP75", "mAP_small", "mAP_medium", "mAP_large")
RECALLS = ("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")


def world(
    seed: int, pictures: int, classes: int, ties: bool, crowd: bool = False
) -> tuple[list[Truth], list[Detections]]:
    """Objects of all sizes, and detections that hit, miss, double and mistake them."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 7))
        corner, size = rng.uniform(0, 300, (count, 2)), rng.uniform(4, 180, (count, 2))
        boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
        labels = rng.integers(0, classes, count)
        picked = rng.integers(0, max(count, 1), int(rng.integers(0, 12)) if count else 0)
        noisy = (boxes[picked] + rng.normal(0, 6, (len(picked), 4))).astype(np.float32)
        said = np.where(rng.random(len(picked)) < 0.8, labels[picked], 0)
        scores = rng.random(len(picked)).astype(np.float32)
        if ties:
            scores = np.round(scores, 1)
        order = np.argsort(-scores, kind="stable")
        truth = Truth(boxes, labels.astype(np.int64))
        if crowd:
            packed = rng.random(count) < 0.3
            truth = Truth(
                boxes[~packed], truth.classes[~packed], boxes[packed], truth.classes[packed]
            )
        truths.append(truth)
        found.append(Detections(noisy[order], scores[order], said[order].astype(np.int64)))
    return truths, found


def reference(
    truths: list[Truth], found: list[Detections], ids: list[int], folder: Path
) -> tuple[list[float], Any]:
    """Ask pycocotools, through files, and give the twelve figures and all precisions."""
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (truth, seen) in enumerate(zip(truths, found, strict=True)):
        plain = [(box, label, 0) for box, label in zip(truth.boxes, truth.classes, strict=True)]
        crowd = zip(truth.crowd_boxes, truth.crowd_classes, strict=True)
        for box, label, packed in [*plain, *((box, label, 1) for box, label in crowd)]:
            x, y, right, bottom = box.astype(float).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": ids[label],
                    "bbox": [x, y, right - x, bottom - y],
                    "area": (right - x) * (bottom - y),
                    "iscrowd": packed,
                }
            )
        for box, score, label in zip(
            seen.boxes.astype(float), seen.scores, seen.classes, strict=True
        ):
            x, y, right, bottom = box.tolist()
            results.append(
                {
                    "image_id": image,
                    "category_id": ids[label],
                    "bbox": [x, y, right - x, bottom - y],
                    "score": float(score),
                }
            )
    truth_file = folder / "truth.json"
    truth_file.write_text(
        json.dumps(
            {
                "images": [{"id": image} for image in range(len(truths))],
                "annotations": annotations,
                "categories": [{"id": identity, "name": str(identity)} for identity in ids],
            }
        )
    )
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO(str(truth_file))
        evaluation = COCOeval(ground, ground.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats], evaluation.eval["precision"]


WORLDS = [
    # seed, pictures, category ids, ties, crowd
    (0, 9, [1], False, False),
    (1, 30, [5], False, False),
    (2, 30, [1, 2, 3], False, True),
    (3, 60, [2, 7, 90, 1000], False, False),
    (4, 60, [9, 3, 7, 1, 4], True, False),
    (5, 60, [4, 1, 2], True, True),
]


@pytest.mark.parametrize("compute", [by_hotcoco, by_pycocotools])
@pytest.mark.parametrize(("seed", "pictures", "ids", "ties", "crowd"), WORLDS)
def test_figures_equal_those_of_pycocotools_to_the_last_bit(
    tmp_path: Path,
    compute: Engine,
    seed: int,
    pictures: int,
    ids: list[int],
    ties: bool,
    crowd: bool,
) -> None:
    # The last class is named by detections only.
    truths, found = world(seed, pictures, max(1, len(ids) - 1), ties, crowd)
    if len(ids) > 1:
        found[-1] = Detections(
            np.array([[0, 0, 9, 9]], np.float32),
            np.array([0.7], np.float32),
            np.array([len(ids) - 1]),
        )
    assert any(not len(one) for one in found) and any(not len(one) for one in truths)
    expected, precision = reference(truths, found, ids, tmp_path)
    made = coco_figures(truths, found, len(ids), category_ids=ids, compute=compute)
    ours = [made.values[name] for name in (*NAMES, *RECALLS)]
    assert [-1.0 if math.isnan(value) else value for value in ours] == expected
    for label, place in enumerate(np.argsort(np.argsort(ids))):
        for area, ap in enumerate([made.ap, *made.ap_by_size]):
            known = precision[:, :, place, area, 2]
            mean = float(np.mean(known[known > -1])) if (known > -1).any() else math.nan
            assert np.array_equal(ap[label], mean, equal_nan=True)
        curve = np.where(np.isnan(made.precision50[:, label]), -1, made.precision50[:, label])
        assert np.array_equal(curve, precision[0, :, place, 0, 2])


@pytest.mark.parametrize("limits", [[1, 10, 100], [1, 2, 10], [1, 10, 300], [1, 5], [1]])
def test_engines_give_the_same_arrays(limits: list[int]) -> None:
    boxes = columns(*world(11, 40, 3, True, True), [5, 2, 9])
    one, other = by_hotcoco(boxes, limits), by_pycocotools(boxes, limits)
    assert np.array_equal(one.precision, other.precision)
    assert np.array_equal(one.recall, other.recall)
    assert one.precision.shape == (10, 101, 3, 4, len(limits))


def test_crowds_are_neither_missed_nor_is_what_is_in_them_false() -> None:
    box = np.array([[0, 0, 50, 50], [100, 100, 200, 200]], np.float32)
    seen = Detections(
        np.array([[0, 0, 50, 50], [110, 110, 130, 130]], np.float32),
        np.array([0.5, 0.9], np.float32),
        np.array([0, 0]),
    )
    crowd = Truth(box[:1], np.array([0]), box[1:], np.array([0]))
    assert coco_figures([crowd], [seen], 1).values["mAP50"] == pytest.approx(1.0)
    counted = Truth(box, np.array([0, 0]))
    assert coco_figures([counted], [seen], 1).values["mAP50"] < 0.3


def test_without_the_fast_engine_the_reference_serves_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine.cache_clear()
    assert engine() is by_hotcoco
    monkeypatch.setitem(sys.modules, "hotcoco", None)
    engine.cache_clear()
    try:
        assert engine() is engine() is by_pycocotools
        assert len(caplog.records) == 1 and "pycocotools" in caplog.text
        monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
        engine.cache_clear()
        with pytest.raises(ValueError, match="pip install hotcoco"):
            engine()
    finally:
        engine.cache_clear()


def test_a_class_that_occurs_nowhere_has_no_figure() -> None:
    truths, found = world(5, 20, 2, False)
    with_third = coco_figures(truths, found, 3)
    assert np.isnan(with_third.ap[2]) and np.isnan(with_third.precision50[:, 2]).all()
    assert with_third.values == coco_figures(truths, found, 2).values
    assert with_third.values["mAP50"] == pytest.approx(with_third.ap50[:2].mean())


def test_nothing_to_find_gives_nan_and_nothing_found_gives_zero() -> None:
    truths, found = world(6, 10, 2, False)
    nothing_there = coco_figures([NOTHING] * 10, found, 2).values
    nothing_found = coco_figures(truths, [Detections.none()] * 10, 2).values
    assert all(math.isnan(value) for value in nothing_there.values())
    assert {nothing_found[name] for name in ("mAP", "mAP50", "AR100")} == {0.0}
    assert math.isnan(coco_figures([NOTHING], [Detections.none()], 1).values["mAP"])


def test_the_limit_of_detections_counts() -> None:
    truths, found = world(7, 40, 1, False)
    few, many = coco_figures(truths, found, 1, 2).values, coco_figures(truths, found, 1).values
    assert few["mAP"] < many["mAP"]
    assert set(few) - set(many) == {"AR2"}


@pytest.mark.parametrize("most", [1, 2, 5, 10])
def test_a_limit_under_ten_is_the_same_as_giving_no_more(most: int) -> None:
    truths, found = world(7, 40, 1, False)
    cut = [one.best(most) for one in found]
    given = coco_figures(truths, found, 1, most)
    assert given.values["mAP"] == coco_figures(truths, cut, 1).values["mAP"]
    assert np.array_equal(given.ap50, coco_figures(truths, cut, 1).ap50)
    assert [name for name in given.values if name[2:].isdigit()] == [
        f"AR{limit}" for limit in sorted({1, most})
    ]
