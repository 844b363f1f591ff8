from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.detection.detections import Detections
from models.detection.metrics.coco import coco_figures
from models.detection.metrics.truth import Truth

NOTHING = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
NAMES = ("mAP", "mAP50", "mAP75", "mAP_small", "mAP_medium", "mAP_large")
RECALLS = ("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")


def world(
    seed: int, pictures: int, classes: int, ties: bool
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
        truths.append(Truth(boxes, labels.astype(np.int64)))
        found.append(Detections(noisy[order], scores[order], said[order].astype(np.int64)))
    return truths, found


def reference(
    truths: list[Truth], found: list[Detections], ids: list[int], folder: Path
) -> list[float]:
    """Ask pycocotools, through files and with category ids of its own."""
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (truth, seen) in enumerate(zip(truths, found, strict=True)):
        for box, label in zip(truth.boxes.astype(float), truth.classes, strict=True):
            x, y, right, bottom = box.tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": ids[label],
                    "bbox": [x, y, right - x, bottom - y],
                    "area": (right - x) * (bottom - y),
                    "iscrowd": 0,
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
    return [float(value) for value in evaluation.stats]


@pytest.mark.parametrize(
    ("seed", "pictures", "classes", "ids", "ties"),
    [
        (0, 1, 1, [1], False),
        (1, 30, 1, [5], False),
        (2, 30, 3, [1, 2, 3], False),
        (3, 60, 4, [2, 7, 90, 1000], False),
        (4, 60, 5, [9, 3, 7, 1, 4], True),
    ],
)
def test_figures_equal_those_of_pycocotools(
    tmp_path: Path, seed: int, pictures: int, classes: int, ids: list[int], ties: bool
) -> None:
    truths, found = world(seed, pictures, classes, ties)
    if not any(map(len, found)):
        truths, found = world(seed + 100, pictures + 5, classes, ties)
    values = coco_figures(truths, found, classes).values
    ours = [-1.0 if math.isnan(values[name]) else values[name] for name in (*NAMES, *RECALLS)]
    # Only the order in which classes are added up may differ: by their last bit.
    assert ours == pytest.approx(reference(truths, found, ids, tmp_path), rel=1e-14, abs=0)


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
