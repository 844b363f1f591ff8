"""What computes COCO's figures: hotcoco (MIT), or pycocotools where that isn't installed.

Both give the same arrays to the last bit. Boxes go in as columns: half a million detections as
dicts would take longer to make than to judge.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.detections import Detections
from models.detection.metrics.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """All boxes of a split, picture after picture."""

    pictures: int
    category_ids: tuple[int, ...]
    """Rising; COCO's arrays have their classes in this order."""
    truth_pictures: Ints
    """Shape (N,), from 1."""
    truth_ids: Ints
    """Shape (N,), category ids."""
    truth_boxes: Floats
    """Shape (N, 4): left, top, width, height."""
    truth_crowd: NDArray[np.bool_]
    """Shape (N,)."""
    results: Floats
    """Shape (M, 7): picture, left, top, width, height, score, category id."""


@dataclass(frozen=True)
class CocoArrays:
    """What an engine gives; -1 is nothing to measure."""

    precision: Floats
    """Shape (IoUs, recalls, classes, areas, limits)."""
    recall: Floats
    """Shape (IoUs, classes, areas, limits)."""


Engine = Callable[[Columns, Sequence[int]], CocoArrays]
"""Takes the boxes and the limits of detections of a class in a picture, rising."""


def columns(
    truths: Sequence[Truth], detections: Sequence[Detections], category_ids: Sequence[int]
) -> Columns:
    """Gather the boxes of a split.

    Args:
        truths: one for each picture.
        detections: one for each picture, in the same order.
        category_ids: by class index.
    """
    ids = np.asarray(category_ids, np.int64)
    numbers = np.arange(1, len(truths) + 1)
    boxes = [part for truth in truths for part in (truth.boxes, truth.crowd_boxes)]
    labels = [part for truth in truths for part in (truth.classes, truth.crowd_classes)]
    counts = np.array([len(part) for part in labels], np.int64)
    seen = np.array([len(one) for one in detections], np.int64)
    results = np.empty((int(seen.sum()), 7))
    results[:, 0] = np.repeat(numbers, seen)
    if len(results):
        results[:, 1:5] = np.concatenate([one.boxes for one in detections])
        results[:, 3:5] -= results[:, 1:3]
        results[:, 5] = np.concatenate([one.scores for one in detections])
        results[:, 6] = ids[np.concatenate([one.classes for one in detections])]
    corners = np.concatenate(boxes).astype(float) if boxes else np.zeros((0, 4))
    corners[:, 2:] -= corners[:, :2]
    return Columns(
        pictures=len(truths),
        category_ids=tuple(sorted(category_ids)),
        truth_pictures=np.repeat(np.repeat(numbers, 2), counts),
        truth_ids=ids[np.concatenate(labels)] if labels else np.zeros(0, np.int64),
        truth_boxes=corners,
        truth_crowd=np.repeat(np.tile([False, True], len(truths)), counts),
        results=results,
    )


@functools.cache
def engine() -> Engine:
    """Choose what is installed, the fastest first.

    Raises:
        ValueError: nothing is.
    """
    try:
        import hotcoco  # noqa: F401 (whether it loads is the question)
    except ImportError as error:
        with contextlib.suppress(ImportError):
            import pycocotools.cocoeval  # noqa: F401

            logging.getLogger(__name__).warning(
                "hotcoco can't be loaded (%s): COCO's figures come from pycocotools, which takes "
                "a hundred times as long",
                error,
            )
            return by_pycocotools
        raise ValueError(
            "COCO's figures need hotcoco or pycocotools, and neither is installed: "
            "pip install hotcoco"
        ) from None
    return by_hotcoco


def by_hotcoco(boxes: Columns, limits: Sequence[int]) -> CocoArrays:
    """Measure with hotcoco."""
    from hotcoco import COCO, COCOeval

    ground = COCO.from_arrays(
        _pictures(boxes),
        _categories(boxes),
        boxes.truth_pictures,
        boxes.truth_ids,
        boxes.truth_boxes,
        iscrowd=boxes.truth_crowd,
    )
    evaluation = COCOeval(ground, ground.load_res(boxes.results), "bbox")
    if list(limits) != evaluation.params.max_dets:  # assigning even the same makes it warn
        evaluation.params.max_dets = list(limits)
    evaluation.evaluate()
    evaluation.accumulate()
    found = evaluation.eval or {}
    return CocoArrays(found["precision"], found["recall"])


def by_pycocotools(boxes: Columns, limits: Sequence[int]) -> CocoArrays:
    """Measure with pycocotools, the reference."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations = [
        {
            "id": number,  # an id of 0 would count as not matched
            "image_id": picture,
            "category_id": category,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": int(crowd),
        }
        for number, (picture, category, box, crowd) in enumerate(
            zip(
                boxes.truth_pictures.tolist(),
                boxes.truth_ids.tolist(),
                boxes.truth_boxes.tolist(),
                boxes.truth_crowd.tolist(),
                strict=True,
            ),
            start=1,
        )
    ]
    results = [
        {
            "id": number,
            "image_id": int(picture),
            "category_id": int(category),
            "bbox": box,
            "area": box[2] * box[3],
            "score": score,
            "iscrowd": 0,
        }
        for number, (picture, *box, score, category) in enumerate(boxes.results.tolist(), start=1)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        ground, found = (_coco(COCO, boxes, rows) for rows in (annotations, results))
        evaluation = COCOeval(ground, found, "bbox")
        evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
    return CocoArrays(evaluation.eval["precision"], evaluation.eval["recall"])


def _coco(kind: Any, boxes: Columns, annotations: list[dict[str, Any]]) -> Any:
    made = kind()
    made.dataset = {
        "images": _pictures(boxes),
        "annotations": annotations,
        "categories": _categories(boxes),
    }
    made.createIndex()
    return made


def _pictures(boxes: Columns) -> list[dict[str, Any]]:
    return [{"id": number, "width": 1, "height": 1} for number in range(1, boxes.pictures + 1)]


def _categories(boxes: Columns) -> list[dict[str, Any]]:
    return [{"id": number, "name": str(number)} for number in boxes.category_ids]
